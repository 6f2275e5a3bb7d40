with

-- the version that no later one ends is the one that holds on the as-of date
open_memberships as (
    select * from {{ ref('int_membership_versions_dated') }}
    where valid_to is null and status = 'active'
),

ranked_memberships as (
    select
        customer_id,
        member_id,
        tier,
        row_number() over (
            partition by customer_id
            order by updated_at desc nulls last, member_id asc nulls last
        ) as membership_rank
    from open_memberships
),

-- a customer enrolled twice counts with the membership that changed last
final as (
    select
        customer_id,
        member_id,
        tier
    from ranked_memberships
    where membership_rank = 1
)

select * from final
