with buyers as (
    select count(*) as customers from {{ ref('customers') }}
    where first_purchase_on is not null
),

cohorts as (
    select
        'cohort_repurchase, ' || cast(horizons.horizon_days as {{ dbt.type_string() }}) as mart,
        coalesce(sum(cohort_repurchase.cohort_customers), 0) as customers
    from {{ ref('repurchase_horizons') }} as horizons
    left join {{ ref('cohort_repurchase') }} as cohort_repurchase on horizons.horizon_days = cohort_repurchase.horizon_days
    group by horizons.horizon_days
    union all
    select 'cohort_retention, month 0' as mart, coalesce(sum(cohort_customers), 0) as customers
    from {{ ref('cohort_retention') }}
    where months_since_first = 0
    union all
    select 'time_to_second_purchase' as mart, coalesce(sum(events + censored), 0) as customers
    from {{ ref('time_to_second_purchase') }}
    where dimension = 'all'
    union all
    select 'growth_accounting, new customers' as mart, coalesce(sum(new_customers), 0) as customers
    from {{ ref('growth_accounting') }}
    union all
    select 'customer_clv' as mart, count(*) as customers from {{ ref('customer_clv') }}
    union all
    select 'customer_cadence' as mart, count(*) as customers from {{ ref('customer_cadence') }}
)

select cohorts.mart, cohorts.customers, buyers.customers as customers_with_a_purchase
from cohorts
cross join buyers
where cohorts.customers != buyers.customers
