select count(*) as limits
from {{ ref('model_limits') }}
having count(*) != 1
