with steps as (
    select
        days,
        effective_days,
        lag(effective_days) over (order by days asc nulls last) as effective_days_before
    from {{ ref('int_season_days_counted') }}
)

select days, effective_days, effective_days_before
from steps
where effective_days < effective_days_before
