with tiers as (
    select
        tier,
        members
    from {{ ref('tier_monthly') }}
    where month = (select max(month) from {{ ref('tier_monthly') }})
),

current_members as (
    select
        tier,
        count(*) as members
    from {{ ref('int_memberships_current') }}
    group by tier
)

select
    coalesce(tiers.tier, current_members.tier) as tier,
    tiers.members,
    current_members.members as current_members
from tiers
full outer join current_members on tiers.tier = current_members.tier
where coalesce(tiers.members, 0) != coalesce(current_members.members, 0)
