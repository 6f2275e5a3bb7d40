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

spreads as (
    select * from {{ ref('int_total_spreads_pivoted') }}
),

-- money is rounded by customer, as customer_clv shows it
predictions as (
    select
        purchases.cohort_month,
        horizons.horizon_days,
        purchases.net_revenue as historic_net_revenue,
        horizons.expected_purchases as predicted_purchases,
        {{ total('horizons.predicted_clv') }} as predicted_clv
    from purchases
    inner join horizons on purchases.customer_id = horizons.customer_id
),

cohorts as (
    select
        cohort_month,
        horizon_days,
        count(*) as customers,
        sum(historic_net_revenue) as historic_net_revenue,
        {{ sum_rounded('predicted_purchases') }} as predicted_purchases,
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
        {{ sum_rounded('predicted_purchases') }} as predicted_purchases,
        sum(predicted_clv) as predicted_clv
    from cohorts
    group by horizon_days
),

-- A cohort has an error of its own beside that of all customers; in the total it evens out, and the backtests of totals hold what is left.
-- Where nothing was backtested the interval is open.
spread_totals as (
    select
        totals.*,
        spreads.backtest_windows,
        spreads.purchases_dispersion,
        spreads.clv_dispersion,
        case
            when totals.cohort = 'all' then spreads.purchases_relative_error
            else
                sqrt(
                    spreads.purchases_relative_error * spreads.purchases_relative_error
                    + spreads.purchases_cohort_error * spreads.purchases_cohort_error
                )
        end as purchases_error,
        case
            when totals.cohort = 'all' then spreads.clv_relative_error
            else
                sqrt(
                    spreads.clv_relative_error * spreads.clv_relative_error
                    + spreads.clv_cohort_error * spreads.clv_cohort_error
                )
        end as clv_error
    from totals
    left join spreads on totals.horizon_days = spreads.horizon_days
),

final as (
    select
        spread_totals.cohort,
        spread_totals.cohort_month,
        spread_totals.horizon_days,
        cast(spread_totals.customers as bigint) as customers,
        {{ total('spread_totals.historic_net_revenue') }} as historic_net_revenue,
        spread_totals.predicted_purchases,
        {{ prediction_low('predicted_purchases', 'purchases_dispersion', 'purchases_error') }} as predicted_purchases_low,
        {{ prediction_high('predicted_purchases', 'purchases_dispersion', 'purchases_error') }} as predicted_purchases_high,
        {{ total('spread_totals.predicted_clv') }} as predicted_clv,
        {{ total(prediction_low('cast(predicted_clv as double)', 'clv_dispersion', 'clv_error')) }} as predicted_clv_low,
        {{ total(prediction_high('cast(predicted_clv as double)', 'clv_dispersion', 'clv_error')) }} as predicted_clv_high,
        spread_totals.backtest_windows,
        spread_totals.backtest_windows < 2 as is_interval_wide,
        models.is_reliable,
        models.unreliable_reason
    from spread_totals
    cross join models
)

{{ select_with_labels('final') }}
