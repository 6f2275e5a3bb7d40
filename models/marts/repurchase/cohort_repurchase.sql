with

purchases as (
    select
        customer_id,
        cohort_month,
        first_purchase_on,
        second_purchase_on
    from {{ ref('int_customer_purchases_summarised') }}
),

horizons as (
    select horizon_days from {{ ref('repurchase_horizons') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

-- one row per customer and horizon, whether or not the horizon has passed: an immature cohort is shown as such, not left out
customer_horizons as (
    select
        purchases.customer_id,
        purchases.cohort_month,
        horizons.horizon_days,
        {{ day_diff('purchases.first_purchase_on', 'purchases.second_purchase_on') }} <= horizons.horizon_days as repurchased
    from purchases
    cross join horizons
),

counted as (
    select
        cohort_month,
        horizon_days,
        count(*) as cohort_customers,
        count(*) filter (where repurchased) as repeat_customers
    from customer_horizons
    group by cohort_month, horizon_days
),

judged as (
    select
        counted.cohort_month,
        counted.horizon_days,
        counted.cohort_customers,
        counted.repeat_customers,
        -- the youngest customer of the cohort must have had the whole horizon, or late joiners would pull the rate down
        {{ add_days(period_end('month', 'counted.cohort_month'), 'counted.horizon_days') }} <= run_context.as_of_date as is_mature
    from counted
    cross join run_context
),

final as (
    select
        cohort_month,
        horizon_days,
        cohort_customers,
        case when is_mature then repeat_customers end as repeat_customers,
        case when is_mature then {{ ratio('repeat_customers', 'cohort_customers') }} end as repurchase_rate,
        case when is_mature then {{ wilson_low('repeat_customers', 'cohort_customers') }} end as repurchase_rate_low,
        case when is_mature then {{ wilson_high('repeat_customers', 'cohort_customers') }} end as repurchase_rate_high,
        is_mature
    from judged
)

select * from final
