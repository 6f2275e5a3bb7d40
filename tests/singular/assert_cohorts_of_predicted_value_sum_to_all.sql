with customers as (
    {% for horizon in [30, 90, 180, 365] -%}
    select
        {{ horizon }} as horizon_days,
        count(*) as customers,
        sum(historic_net_revenue) as historic_net_revenue,
        sum(predicted_clv_{{ horizon }}d) as predicted_clv,
        sum(expected_purchases_{{ horizon }}d) as predicted_purchases
    from {{ ref('customer_clv') }}
    having count(*) > 0
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

cohorts as (
    select
        horizon_days,
        sum(customers) as customers,
        sum(historic_net_revenue) as historic_net_revenue,
        sum(predicted_clv) as predicted_clv,
        sum(predicted_purchases) as predicted_purchases
    from {{ ref('cohort_clv') }}
    where cohort != 'all'
    group by horizon_days
),

totals as (
    select * from {{ ref('cohort_clv') }}
    where cohort = 'all'
)

select
    customers.horizon_days,
    customers.customers,
    cohorts.customers as customers_of_cohorts,
    totals.customers as customers_of_all,
    customers.predicted_clv,
    cohorts.predicted_clv as predicted_clv_of_cohorts,
    totals.predicted_clv as predicted_clv_of_all
from customers
full outer join cohorts on customers.horizon_days = cohorts.horizon_days
full outer join totals on customers.horizon_days = totals.horizon_days
where
    customers.horizon_days is null
    or cohorts.horizon_days is null
    or totals.horizon_days is null
    or cohorts.customers != customers.customers
    or totals.customers != customers.customers
    or cohorts.historic_net_revenue != customers.historic_net_revenue
    or totals.historic_net_revenue != customers.historic_net_revenue
    or cohorts.predicted_clv != customers.predicted_clv
    or (cohorts.predicted_clv is null) != (customers.predicted_clv is null)
    or totals.predicted_clv != customers.predicted_clv
    or (totals.predicted_clv is null) != (customers.predicted_clv is null)
    or abs(cohorts.predicted_purchases - customers.predicted_purchases) > 1e-9 * (1e0 + customers.predicted_purchases)
    or abs(totals.predicted_purchases - customers.predicted_purchases) > 1e-9 * (1e0 + customers.predicted_purchases)
