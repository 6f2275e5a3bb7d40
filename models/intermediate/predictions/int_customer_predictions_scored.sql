with

features as (
    select * from {{ ref('int_customer_features') }}
),

parameters as (
    select * from {{ ref('int_btyd_parameters_pivoted') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

customers as (
    select
        features.as_of_date,
        features.customer_id,
        features.repeat_purchase_days,
        cast(features.repeat_purchase_days as double) as x,
        cast(features.recency_days_btyd as double) as t_x,
        features.tenure_days,
        cast(features.repeat_net_revenue_per_purchase_day as double) as mean_spend
    from features
    inner join run_context on features.as_of_date = run_context.as_of_date
),

alive as (
    select
        customers.*,
        parameters.model_name,
        parameters.r,
        parameters.alpha,
        {{ btyd_p_alive(
            'parameters.model_name', 'parameters.r', 'parameters.alpha', 'parameters.a', 'parameters.b_later',
            'customers.x', 'customers.t_x', 'customers.tenure_days'
        ) }} as p_alive,
        {{ gamma_gamma_expected_spend(
            'parameters.p', 'parameters.q', 'parameters.gamma', 'parameters.never_pays', 'parameters.free_day', 'customers.x',
            'customers.mean_spend'
        ) }} as expected_spend_per_purchase
    from customers
    cross join parameters
),

final as (
    select
        as_of_date,
        customer_id,
        repeat_purchase_days,
        tenure_days,
        model_name,
        p_alive,
        expected_spend_per_purchase,
        {{ btyd_next_purchase_days('r', 'alpha', 'p_alive', 'x', 'tenure_days') }} as next_purchase_days
    from alive
)

select * from final
