with moved as (
    select
        coalesce(sum(case when points_transactions.type = 'earn' then points_transactions.points else 0 end), 0) as issued,
        coalesce(sum(case when points_transactions.type = 'redeem' then -points_transactions.points else 0 end), 0) as redeemed,
        coalesce(sum(case when points_transactions.type = 'expire' then -points_transactions.points else 0 end), 0) as expired,
        coalesce(sum(case when points_transactions.type = 'adjust' then points_transactions.points else 0 end), 0) as adjusted,
        coalesce(sum(points_transactions.points), 0) as points_left
    from {{ ref('stg_points_transactions') }} as points_transactions
    cross join {{ ref('run_context') }} as run_context
    where {{ business_day('points_transactions.occurred_at', 'run_context.business_timezone') }} <= run_context.as_of_date
),

months as (
    select
        *,
        row_number() over (order by month desc nulls last) as months_back
    from {{ ref('points_monthly') }}
),

shown as (
    select
        'points_balances' as mart,
        coalesce(sum(points_issued), 0) as issued,
        coalesce(sum(points_redeemed), 0) as redeemed,
        coalesce(sum(points_expired), 0) as expired,
        coalesce(sum(points_adjusted), 0) as adjusted,
        coalesce(sum(points_outstanding), 0) as outstanding,
        coalesce(sum(points_past_expiry), 0) as past_expiry
    from {{ ref('points_balances') }}
    union all
    select
        'points_monthly' as mart,
        coalesce(sum(points_earned), 0) as issued,
        coalesce(sum(points_redeemed), 0) as redeemed,
        coalesce(sum(points_expired), 0) as expired,
        coalesce(sum(points_adjusted), 0) as adjusted,
        coalesce(sum(case when months_back = 1 then points_outstanding end), 0) as outstanding,
        coalesce(sum(case when months_back = 1 then points_past_expiry end), 0) as past_expiry
    from months
    union all
    select
        'points_movements' as mart,
        coalesce(sum(case when type = 'earn' then points else 0 end), 0) as issued,
        coalesce(sum(case when type = 'redeem' then -points else 0 end), 0) as redeemed,
        coalesce(sum(case when type = 'expire' then -points else 0 end), 0) as expired,
        coalesce(sum(case when type = 'adjust' then points else 0 end), 0) as adjusted,
        coalesce(sum(points), 0) - (select coalesce(sum(past_expiry_points), 0) from {{ ref('points_liability') }}) as outstanding,
        (select coalesce(sum(past_expiry_points), 0) from {{ ref('points_liability') }}) as past_expiry
    from {{ ref('points_movements') }}
)

select
    shown.mart,
    shown.issued,
    moved.issued as issued_by_members,
    shown.outstanding,
    shown.past_expiry,
    moved.points_left as points_left_of_members
from shown
cross join moved
where
    shown.issued != moved.issued
    or shown.redeemed != moved.redeemed
    or shown.expired != moved.expired
    or shown.adjusted != moved.adjusted
    or shown.outstanding + shown.past_expiry != moved.points_left
    or shown.issued + shown.adjusted != shown.redeemed + shown.expired + shown.outstanding + shown.past_expiry
