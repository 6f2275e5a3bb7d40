with months as (
    select
        month,
        points_outstanding,
        points_earned - points_redeemed - points_expired + points_adjusted as points_moved,
        lag(month) over (order by month asc nulls last) as previous_month,
        lag(points_outstanding) over (order by month asc nulls last) as previous_outstanding
    from {{ ref('points_monthly') }}
)

select
    month,
    previous_month,
    previous_outstanding,
    points_moved,
    points_outstanding
from months
where
    coalesce(previous_outstanding, 0) + points_moved != points_outstanding
    or {{ add_months('previous_month', 1) }} != month
