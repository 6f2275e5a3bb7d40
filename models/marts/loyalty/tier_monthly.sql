with

transitions as (
    select * from {{ ref('tier_transitions') }}
),

months as (
    select month_start, is_complete from {{ ref('int_loyalty_months_listed') }}
),

loyalty_tiers as (
    select tier, tier_rank from {{ ref('loyalty_tiers') }}
),

tier_months as (
    select
        months.month_start,
        months.is_complete,
        loyalty_tiers.tier,
        loyalty_tiers.tier_rank
    from months
    cross join loyalty_tiers
),

arrivals as (
    select
        month,
        to_tier as tier,
        sum(customers) as members,
        sum(case when from_tier = 'none' then customers else 0 end) as joined,
        sum(case when from_tier not in ('none', to_tier) then customers else 0 end) as moved_in
    from transitions
    group by month, to_tier
),

departures as (
    select
        month,
        from_tier as tier,
        sum(customers) as members_before,
        sum(case when to_tier = 'closed' then customers else 0 end) as members_left,
        sum(case when to_tier not in ('closed', from_tier) then customers else 0 end) as moved_out
    from transitions
    group by month, from_tier
),

counted as (
    select
        tier_months.month_start,
        tier_months.tier,
        tier_months.tier_rank,
        tier_months.is_complete,
        cast(coalesce(departures.members_before, 0) as bigint) as members_before,
        cast(coalesce(arrivals.joined, 0) as bigint) as joined,
        cast(coalesce(arrivals.moved_in, 0) as bigint) as moved_in,
        cast(coalesce(departures.moved_out, 0) as bigint) as moved_out,
        cast(coalesce(departures.members_left, 0) as bigint) as members_left,
        cast(coalesce(arrivals.members, 0) as bigint) as members
    from tier_months
    left join arrivals on tier_months.month_start = arrivals.month and tier_months.tier = arrivals.tier
    left join departures on tier_months.month_start = departures.month and tier_months.tier = departures.tier
),

shared as (
    select
        *,
        cast(sum(members) over (partition by month_start) as bigint) as all_members
    from counted
),

final as (
    select
        month_start as month,
        tier,
        tier_rank,
        members_before,
        joined,
        moved_in,
        moved_out,
        members_left,
        members,
        all_members,
        {{ ratio('members', 'all_members') }} as share,
        is_complete
    from shared
)

{{ select_with_labels('final') }}
