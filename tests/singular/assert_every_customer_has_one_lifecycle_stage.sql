with stages as (
    select lifecycle_stage, count(*) as customers
    from {{ ref('customer_lifecycle') }}
    group by lifecycle_stage
),

arrivals as (
    select to_stage as lifecycle_stage, sum(customers) as customers
    from {{ ref('lifecycle_transitions') }}
    where month = (select max(month) from {{ ref('lifecycle_transitions') }})
    group by to_stage
),

totals as (
    select
        (select count(*) from {{ ref('customers') }}) as customers,
        (select count(*) from {{ ref('customer_lifecycle') }}) as staged_customers
)

select
    coalesce(stages.lifecycle_stage, arrivals.lifecycle_stage) as lifecycle_stage,
    stages.customers,
    arrivals.customers as customers_of_transitions
from stages
full outer join arrivals on stages.lifecycle_stage = arrivals.lifecycle_stage
where stages.customers is distinct from arrivals.customers

union all

select 'all' as lifecycle_stage, customers, staged_customers as customers_of_transitions
from totals
where customers != staged_customers
