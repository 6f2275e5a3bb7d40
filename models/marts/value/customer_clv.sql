with

purchases as (
    select * from {{ ref('int_customer_purchases_summarised') }}
),

predictions as (
    select * from {{ ref('int_customer_predictions_scored') }}
),

models as (
    select is_reliable, unreliable_reason from {{ ref('int_btyd_parameters_pivoted') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

-- customers of the same value have the same rank, so the first tenth may be more than a tenth
ranked_predictions as (
    select
        predictions.*,
        rank() over (order by predictions.predicted_clv_365d desc nulls last) as clv_rank,
        count(*) over () as customers
    from predictions
),

final as (
    select
        purchases.customer_id,
        run_context.as_of_date,
        purchases.purchase_days - 1 as repeat_purchase_days,
        cast({{ day_diff('purchases.first_purchase_on', 'purchases.last_purchase_on') }} as integer) as recency_days_btyd,
        cast({{ day_diff('purchases.first_purchase_on', 'run_context.as_of_date') }} as integer) as tenure_days,
        purchases.net_revenue as historic_net_revenue,
        purchases.margin_amount as historic_margin,
        {{ money_per('purchases.net_revenue', 'purchases.purchase_days') }} as net_revenue_per_purchase_day,
        predictions.p_alive,
        {% for horizon in [30, 90, 180, 365] -%}
        predictions.expected_purchases_{{ horizon }}d,
        {% endfor -%}
        {{ money('predictions.expected_spend_per_purchase') }} as expected_spend_per_purchase,
        {% for horizon in [30, 90, 180, 365] -%}
        {{ money('predictions.predicted_clv_' ~ horizon ~ 'd') }} as predicted_clv_{{ horizon }}d,
        {% endfor -%}
        case
            when predictions.predicted_clv_365d is not null then predictions.clv_rank - 1 < 0.1e0 * predictions.customers
        end as is_predicted_top_decile,
        predictions.model_name,
        models.is_reliable,
        models.unreliable_reason
    from purchases
    cross join run_context
    cross join models
    -- one row per customer at most
    left join ranked_predictions as predictions on purchases.customer_id = predictions.customer_id
)

{{ select_with_labels('final') }}
