with context as (
    select count(*) as contexts, count(as_of_date) as dates from {{ ref('run_context') }}
)

select contexts, dates
from context
where contexts != 1 or dates != 1
