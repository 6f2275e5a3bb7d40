with arrivals as (
    select {{ add_months('month', 1) }} as month, to_stage as stage, sum(customers) as customers
    from {{ ref('lifecycle_transitions') }}
    group by {{ add_months('month', 1) }}, to_stage
),

departures as (
    select month, from_stage as stage, sum(customers) as customers
    from {{ ref('lifecycle_transitions') }}
    where from_stage != 'none'
    group by month, from_stage
)

select
    arrivals.month,
    arrivals.stage,
    arrivals.customers as arrived,
    departures.customers as departed
from arrivals
left join departures on arrivals.month = departures.month and arrivals.stage = departures.stage
where
    arrivals.month <= (select max(month) from {{ ref('lifecycle_transitions') }})
    and arrivals.customers is distinct from departures.customers
