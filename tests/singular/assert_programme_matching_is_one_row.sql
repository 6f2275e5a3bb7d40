select count(*) as settings
from {{ ref('programme_matching') }}
having count(*) != 1
