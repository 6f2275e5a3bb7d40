with

months as (
    select month_start, snapshot_on from {{ ref('int_loyalty_months_listed') }}
),

active_versions as (
    select * from {{ ref('int_membership_versions_dated') }}
    where status = 'active'
),

-- one row per month and membership that was open at its end
open_memberships as (
    select
        months.month_start,
        months.snapshot_on,
        active_versions.customer_id,
        active_versions.member_id,
        active_versions.tier,
        active_versions.updated_at
    from active_versions
    inner join months
        on active_versions.valid_from_on <= months.snapshot_on
        and (active_versions.valid_to_on > months.snapshot_on or active_versions.valid_to_on is null)
),

ranked_memberships as (
    select
        *,
        row_number() over (
            partition by month_start, customer_id
            order by updated_at desc nulls last, member_id asc nulls last
        ) as membership_rank
    from open_memberships
),

-- a customer enrolled twice counts once, with the membership that changed last
final as (
    select
        month_start,
        snapshot_on,
        customer_id,
        member_id,
        tier
    from ranked_memberships
    where membership_rank = 1
)

select * from final
