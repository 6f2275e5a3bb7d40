{%- set features = [
    'log_days_since_last_purchase', 'log_tenure_days', 'log_repeat_purchase_days', 'log_overdue_ratio', 'is_one_time_buyer',
    'log_purchase_days_30d', 'log_purchase_days_90d', 'log_purchase_days_previous_90d', 'log_purchase_days_365d',
    'log_net_revenue_365d', 'log_spend_per_purchase_day', 'nps_score_or_zero', 'has_nps_score', 'log_tickets_180d',
    'is_programme_member',
] -%}

with

inputs as (
    select * from {{ ref('int_churn_inputs_prepared') }}
),

terms as (
    select * from {{ ref('int_churn_terms_listed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

current_inputs as (
    select inputs.*
    from inputs
    inner join run_context on inputs.as_of_date = run_context.as_of_date
),

weights as (
    select
        horizon_days,
        {% for feature in features %}
        coalesce(max(case when feature = '{{ feature }}' then weight end), 0e0) as {{ feature }},
        {% endfor %}
        count(*) as weights
    from terms
    where weight is not null
    group by horizon_days
),

-- a weight holds for all values of its feature: a million customers need no join by feature
weighted as (
    select
        current_inputs.customer_id,
        weights.horizon_days,
        {% for feature in features -%}
        weights.{{ feature }} * current_inputs.{{ feature }}{{ ' + ' if not loop.last }}
        {%- endfor %} as score
    from current_inputs
    cross join weights
),

steps as (
    select * from terms
    where score is not null
),

stepped_features as (
    select feature
    from steps
    group by feature
),

feature_values as (
    {% for feature in features -%}
    select
        current_inputs.customer_id,
        stepped_features.feature,
        current_inputs.{{ feature }} as feature_value
    from current_inputs
    inner join stepped_features on stepped_features.feature = '{{ feature }}'
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- the steps of a feature follow on one another without a gap, so a value is on one of them
stepped as (
    select
        feature_values.customer_id,
        steps.horizon_days,
        {{ sum_rounded('steps.score') }} as score
    from feature_values
    inner join steps
        on feature_values.feature = steps.feature
        and (feature_values.feature_value >= steps.from_value or steps.from_value is null)
        and (feature_values.feature_value < steps.below_value or steps.below_value is null)
    group by feature_values.customer_id, steps.horizon_days
),

-- a champion has weights or steps; a buy-till-you-die model has neither, and no row comes out of here
final as (
    select customer_id, horizon_days, score from weighted
    union all
    select customer_id, horizon_days, score from stepped
)

select * from final
