with months as (
    select
        month,
        points_outstanding + points_past_expiry as points_left,
        points_earned - points_redeemed - points_expired + points_adjusted as points_moved,
        lag(month) over (order by month asc nulls last) as previous_month,
        lag(points_outstanding + points_past_expiry) over (order by month asc nulls last) as previous_points_left
    from {{ ref('points_monthly') }}
)

select
    month,
    previous_month,
    previous_points_left,
    points_moved,
    points_left
from months
where
    coalesce(previous_points_left, 0) + points_moved != points_left
    or {{ add_months('previous_month', 1) }} != month
