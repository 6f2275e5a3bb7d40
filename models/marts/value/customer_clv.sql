with

purchases as (
    select * from {{ ref('int_customer_purchases_summarised') }}
),

predictions as (
    select * from {{ ref('int_customer_predictions_scored') }}
),

horizons as (
    select * from {{ ref('int_customer_horizons_predicted') }}
),

models as (
    select is_reliable, unreliable_reason from {{ ref('int_btyd_parameters_pivoted') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

-- a column for each horizon of the seed prediction_horizons
customer_horizons as (
    select
        customer_id,
        max(case when horizon_days = 30 then expected_purchases end) as expected_purchases_30d,
        max(case when horizon_days = 90 then expected_purchases end) as expected_purchases_90d,
        max(case when horizon_days = 180 then expected_purchases end) as expected_purchases_180d,
        max(case when horizon_days = 365 then expected_purchases end) as expected_purchases_365d,
        max(case when horizon_days = 30 then predicted_clv end) as predicted_clv_30d,
        max(case when horizon_days = 90 then predicted_clv end) as predicted_clv_90d,
        max(case when horizon_days = 180 then predicted_clv end) as predicted_clv_180d,
        max(case when horizon_days = 365 then predicted_clv end) as predicted_clv_365d
    from horizons
    group by customer_id
),

-- customers of the same value have the same rank, so the first tenth may be more than a tenth
ranked_horizons as (
    select
        *,
        rank() over (order by predicted_clv_365d desc nulls last) as clv_rank,
        count(*) over () as customers
    from customer_horizons
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
        horizons.expected_purchases_30d,
        horizons.expected_purchases_90d,
        horizons.expected_purchases_180d,
        horizons.expected_purchases_365d,
        {{ total('predictions.expected_spend_per_purchase') }} as expected_spend_per_purchase,
        {{ total('horizons.predicted_clv_30d') }} as predicted_clv_30d,
        {{ total('horizons.predicted_clv_90d') }} as predicted_clv_90d,
        {{ total('horizons.predicted_clv_180d') }} as predicted_clv_180d,
        {{ total('horizons.predicted_clv_365d') }} as predicted_clv_365d,
        case
            when horizons.predicted_clv_365d is not null then horizons.clv_rank - 1 < 0.1e0 * horizons.customers
        end as is_predicted_top_decile,
        predictions.model_name,
        models.is_reliable,
        models.unreliable_reason
    from purchases
    cross join run_context
    cross join models
    -- one row per customer at most
    left join predictions on purchases.customer_id = predictions.customer_id
    left join ranked_horizons as horizons on purchases.customer_id = horizons.customer_id
)

{{ select_with_labels('final') }}
