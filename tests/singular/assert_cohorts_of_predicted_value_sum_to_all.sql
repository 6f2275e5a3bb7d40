with clv as (
    select * from {{ ref('customer_clv') }}
),

customers as (
    select
        horizons.horizon_days,
        count(*) as customers,
        sum(clv.historic_net_revenue) as historic_net_revenue,
        sum(
            case horizons.horizon_days
                when 30 then clv.predicted_clv_30d
                when 90 then clv.predicted_clv_90d
                when 180 then clv.predicted_clv_180d
                when 365 then clv.predicted_clv_365d
            end
        ) as predicted_clv,
        sum(
            case horizons.horizon_days
                when 30 then clv.expected_purchases_30d
                when 90 then clv.expected_purchases_90d
                when 180 then clv.expected_purchases_180d
                when 365 then clv.expected_purchases_365d
            end
        ) as predicted_purchases
    from clv
    cross join {{ ref('prediction_horizons') }} as horizons
    group by horizons.horizon_days
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
