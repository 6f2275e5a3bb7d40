with arrivals as (
    select {{ add_months('month', 1) }} as month, to_tier as tier, sum(customers) as customers
    from {{ ref('tier_transitions') }}
    where to_tier != 'closed'
    group by {{ add_months('month', 1) }}, to_tier
),

departures as (
    select month, from_tier as tier, sum(customers) as customers
    from {{ ref('tier_transitions') }}
    where from_tier != 'none'
    group by month, from_tier
)

select
    coalesce(arrivals.month, departures.month) as month,
    coalesce(arrivals.tier, departures.tier) as tier,
    arrivals.customers as arrived,
    departures.customers as departed
from arrivals
full outer join departures on arrivals.month = departures.month and arrivals.tier = departures.tier
where
    (arrivals.month is null or arrivals.month <= (select max(month) from {{ ref('tier_monthly') }}))
    and arrivals.customers is distinct from departures.customers
