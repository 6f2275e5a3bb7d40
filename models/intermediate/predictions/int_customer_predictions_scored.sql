with

features as (
    select * from {{ ref('int_customer_features') }}
),

histories as (
    select * from {{ ref('int_purchase_histories_projected') }}
),

parameters as (
    select * from {{ ref('int_btyd_parameters_pivoted') }}
),

season_days as (
    select * from {{ ref('int_season_days_counted') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

season as (
    select
        max(case when days = 30 then effective_days end) as effective_30d,
        max(case when days = 90 then effective_days end) as effective_90d,
        max(case when days = 180 then effective_days end) as effective_180d
    from season_days
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
            'parameters.p', 'parameters.q', 'parameters.gamma', 'customers.x', 'customers.mean_spend'
        ) }} as expected_spend_per_purchase
    from customers
    cross join parameters
),

final as (
    select
        alive.as_of_date,
        alive.customer_id,
        alive.model_name,
        alive.p_alive,
        {% for horizon in [30, 90, 180, 365] -%}
        alive.p_alive * histories.purchases_if_alive_{{ horizon }}d as expected_purchases_{{ horizon }}d,
        alive.p_alive * histories.discounted_purchases_if_alive_{{ horizon }}d as discounted_purchases_{{ horizon }}d,
        alive.p_alive * histories.discounted_purchases_if_alive_{{ horizon }}d * alive.expected_spend_per_purchase
            as predicted_clv_{{ horizon }}d,
        {% endfor -%}
        alive.expected_spend_per_purchase,
        {% for horizon in [30, 90, 180] -%}
        {{ btyd_no_purchase_probability(
            'alive.r', 'alive.alpha', 'alive.p_alive', 'alive.x', 'alive.tenure_days', 'season.effective_' ~ horizon ~ 'd'
        ) }} as no_purchase_probability_{{ horizon }}d,
        {% endfor -%}
        {{ btyd_next_purchase_days('alive.r', 'alive.alpha', 'alive.p_alive', 'alive.x', 'alive.tenure_days') }}
            as next_purchase_days
    from alive
    cross join season
    inner join histories
        on alive.repeat_purchase_days = histories.repeat_purchase_days
        and alive.tenure_days = histories.tenure_days
)

select * from final
