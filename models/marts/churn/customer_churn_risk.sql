with

features as (
    select * from {{ ref('int_customer_features') }}
),

probabilities as (
    select * from {{ ref('int_churn_probabilities_scored') }}
),

champions as (
    select * from {{ ref('int_model_champions_current') }}
    where target = 'churn'
),

reasons as (
    select * from {{ ref('int_churn_reasons_worded') }}
),

scores as (
    select customer_id, is_high_value, is_top_value from {{ ref('customer_rfm') }}
),

values_ahead as (
    select customer_id, p_alive, predicted_clv_365d, is_reliable, unreliable_reason from {{ ref('customer_clv') }}
),

rhythms as (
    select customer_id, purchase_due_probability from {{ ref('customer_cadence') }}
),

retention_actions as (
    select * from {{ ref('retention_actions') }}
),

run_context as (
    select as_of_date, lapsed_days from {{ ref('run_context') }}
),

risk_bands as (
    select
        risk_band,
        from_probability,
        lead(from_probability) over (order by from_probability asc nulls last) as below_probability,
        is_at_risk
    from {{ ref('churn_risk_bands') }}
),

-- a column for each horizon for churn of the seed prediction_horizons
customer_probabilities as (
    select
        customer_id,
        max(model_name) as model_name,
        max(case when horizon_days = 30 then churn_probability end) as churn_probability_30d,
        max(case when horizon_days = 90 then churn_probability end) as churn_probability_90d,
        max(case when horizon_days = 180 then churn_probability end) as churn_probability_180d
    from probabilities
    group by customer_id
),

customer_reasons as (
    select
        customer_id,
        {% for place in [1, 2, 3] -%}
        max(case when reason_rank = {{ place }} then reason_code end) as reason_{{ place }}_code,
        max(case when reason_rank = {{ place }} then reason_en end) as reason_{{ place }},
        max(case when reason_rank = {{ place }} then reason_zh end) as reason_{{ place }}_zh{% if not loop.last %},{% endif %}
        {% endfor %}
    from reasons
    group by customer_id
),

customers as (
    select
        features.customer_id,
        features.as_of_date,
        features.days_since_last_purchase,
        features.repeat_purchase_days,
        features.net_revenue_365d,
        features.days_since_last_purchase >= run_context.lapsed_days as is_lapsed,
        -- more likely gone than not, and late: where most buyers never return, p_alive says so of a new one on the first day, when
        -- nothing has been seen of him or her. Without a model to rely on the days alone tell
        (
            features.days_since_last_purchase >= run_context.lapsed_days
            or coalesce(
                values_ahead.is_reliable and values_ahead.p_alive < 0.5e0 and rhythms.purchase_due_probability >= 0.5e0, false
            )
        ) as has_probably_left,
        coalesce(scores.is_high_value, false) as is_high_value,
        coalesce(scores.is_top_value, false) as is_top_value,
        coalesce(scores.is_high_value or scores.is_top_value, false) as is_valuable,
        values_ahead.predicted_clv_365d,
        values_ahead.is_reliable as is_value_reliable,
        values_ahead.unreliable_reason as value_unreliable_reason
    from features
    inner join run_context on features.as_of_date = run_context.as_of_date
    -- each has one row per customer at most
    left join scores on features.customer_id = scores.customer_id
    left join values_ahead on features.customer_id = values_ahead.customer_id
    left join rhythms on features.customer_id = rhythms.customer_id
),

final as (
    select
        customers.customer_id,
        customers.as_of_date,
        probabilities.churn_probability_30d,
        probabilities.churn_probability_90d,
        probabilities.churn_probability_180d,
        risk_bands.risk_band,
        {% for place in [1, 2, 3] -%}
        customer_reasons.reason_{{ place }}_code,
        customer_reasons.reason_{{ place }},
        customer_reasons.reason_{{ place }} as reason_{{ place }}_en,
        customer_reasons.reason_{{ place }}_zh,
        {% endfor -%}
        customers.days_since_last_purchase,
        customers.net_revenue_365d,
        customers.predicted_clv_365d,
        case
            when champions.is_reliable and customers.is_value_reliable
                then {{ total('greatest(0e0, cast(customers.predicted_clv_365d as double)) * probabilities.churn_probability_90d') }}
        end as revenue_at_risk_365d,
        coalesce(champions.unreliable_reason, customers.value_unreliable_reason) as no_revenue_at_risk_reason,
        customers.is_lapsed,
        customers.has_probably_left,
        customers.is_high_value,
        customers.is_top_value,
        customers.is_valuable,
        customers.is_valuable and not customers.has_probably_left and risk_bands.is_at_risk as is_save_candidate,
        customers.has_probably_left and (customers.is_valuable or customers.repeat_purchase_days > 0) as is_win_back_candidate,
        retention_actions.action as recommended_action,
        champions.is_reliable,
        champions.unreliable_reason,
        probabilities.model_name
    from customers
    inner join customer_probabilities as probabilities on customers.customer_id = probabilities.customer_id
    cross join champions
    -- a probability lies in one band, and a band has one action for each value: one row per customer remains
    left join risk_bands
        on probabilities.churn_probability_90d >= risk_bands.from_probability
        and (probabilities.churn_probability_90d < risk_bands.below_probability or risk_bands.below_probability is null)
    left join retention_actions
        on case when customers.has_probably_left then 'left' else risk_bands.risk_band end = retention_actions.risk_band
        and customers.is_valuable = retention_actions.is_valuable
    left join customer_reasons on customers.customer_id = customer_reasons.customer_id
)

{{ select_with_labels('final') }}
