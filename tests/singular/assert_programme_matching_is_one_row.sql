select count(*) as settings
from {{ ref('programme_matching_settings') }}
having count(*) != 1
