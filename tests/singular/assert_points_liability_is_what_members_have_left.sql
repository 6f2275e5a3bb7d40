with liability as (
    select
        coalesce(sum(outstanding_points), 0) as outstanding,
        coalesce(sum(past_expiry_points), 0) as past_expiry,
        coalesce(sum(case when expiry_month is null then outstanding_points else 0 end), 0) as without_expiry
    from {{ ref('points_liability') }}
),

balances as (
    select
        coalesce(sum(points_outstanding + overdrawn_points), 0) as outstanding,
        coalesce(sum(points_past_expiry), 0) as past_expiry,
        coalesce(sum(points_without_expiry), 0) as without_expiry
    from {{ ref('points_balances') }}
)

select
    liability.outstanding,
    balances.outstanding as outstanding_of_members
from liability
cross join balances
where
    liability.outstanding != balances.outstanding
    or liability.past_expiry != balances.past_expiry
    or liability.without_expiry != balances.without_expiry
