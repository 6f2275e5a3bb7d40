with periods as (
    select
        member_id,
        period_number,
        valid_from,
        valid_to,
        is_current,
        row_number() over (partition by member_id order by valid_from asc nulls last) as place,
        lead(valid_from) over (partition by member_id order by valid_from asc nulls last) as next_valid_from
    from {{ ref('memberships') }}
)

select
    member_id,
    period_number,
    valid_from,
    valid_to,
    next_valid_from
from periods
where
    valid_to is distinct from next_valid_from
    or period_number != place
    or is_current != (next_valid_from is null)
