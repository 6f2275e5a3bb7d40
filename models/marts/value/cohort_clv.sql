with

horizons as (
    select * from {{ ref('int_customer_horizons_predicted') }}
),

purchases as (
    select customer_id, cohort_month, net_revenue from {{ ref('int_customer_purchases_summarised') }}
),

models as (
    select is_reliable, unreliable_reason from {{ ref('int_btyd_parameters_pivoted') }}
),

champions as (
    select target, model_name, parameters_fit_id from {{ ref('int_model_champions_current') }}
),

parameters as (
    select * from {{ ref('stg_model_parameters') }}
),

-- money is rounded by customer, as customer_clv shows it
predictions as (
    select
        purchases.cohort_month,
        horizons.horizon_days,
        purchases.net_revenue as historic_net_revenue,
        horizons.expected_purchases as predicted_purchases,
        {{ money('horizons.predicted_clv') }} as predicted_clv
    from purchases
    inner join horizons on purchases.customer_id = horizons.customer_id
),

cohorts as (
    select
        cohort_month,
        horizon_days,
        count(*) as customers,
        sum(historic_net_revenue) as historic_net_revenue,
        sum(predicted_purchases) as predicted_purchases,
        sum(predicted_clv) as predicted_clv
    from predictions
    group by cohort_month, horizon_days
),

totals as (
    select
        substring(cast(cohort_month as {{ dbt.type_string() }}), 1, 7) as cohort,
        cohort_month,
        horizon_days,
        customers,
        historic_net_revenue,
        predicted_purchases,
        predicted_clv
    from cohorts
    union all
    select
        'all' as cohort,
        cast(null as date) as cohort_month,
        horizon_days,
        sum(customers) as customers,
        sum(historic_net_revenue) as historic_net_revenue,
        sum(predicted_purchases) as predicted_purchases,
        sum(predicted_clv) as predicted_clv
    from cohorts
    group by horizon_days
),

-- what the backtests say of totals over each horizon; a row that is missing leaves the interval open
errors as (
    select
        parameters.horizon_days,
        max(case when parameters.target = 'purchases' and parameters.parameter = 'dispersion' then parameters.value end)
            as purchases_dispersion,
        max(case when parameters.target = 'purchases' and parameters.parameter = 'relative_error' then parameters.value end)
            as purchases_relative_error,
        max(case when parameters.target = 'clv' and parameters.parameter = 'dispersion' then parameters.value end)
            as clv_dispersion,
        max(case when parameters.target = 'clv' and parameters.parameter = 'relative_error' then parameters.value end)
            as clv_relative_error
    from parameters
    inner join champions
        on parameters.fit_id = champions.parameters_fit_id
        and parameters.target = champions.target
        and parameters.model_name = champions.model_name
    group by parameters.horizon_days
),

final as (
    select
        totals.cohort,
        totals.cohort_month,
        totals.horizon_days,
        cast(totals.customers as bigint) as customers,
        {{ money('totals.historic_net_revenue') }} as historic_net_revenue,
        totals.predicted_purchases,
        {{ prediction_low('totals.predicted_purchases', 'errors.purchases_dispersion', 'errors.purchases_relative_error') }}
            as predicted_purchases_low,
        {{ prediction_high('totals.predicted_purchases', 'errors.purchases_dispersion', 'errors.purchases_relative_error') }}
            as predicted_purchases_high,
        {{ money('totals.predicted_clv') }} as predicted_clv,
        {{ money(prediction_low('cast(totals.predicted_clv as double)', 'errors.clv_dispersion', 'errors.clv_relative_error')) }}
            as predicted_clv_low,
        {{ money(prediction_high('cast(totals.predicted_clv as double)', 'errors.clv_dispersion', 'errors.clv_relative_error')) }}
            as predicted_clv_high,
        models.is_reliable,
        models.unreliable_reason
    from totals
    cross join models
    left join errors on totals.horizon_days = errors.horizon_days
)

{{ select_with_labels('final') }}
