with

features as (
    select as_of_date, customer_id from {{ ref('int_customer_features') }}
),

predictions as (
    select * from {{ ref('int_customer_predictions_scored') }}
),

scores as (
    select * from {{ ref('int_churn_scores_added') }}
),

champions as (
    select * from {{ ref('int_model_champions_selected') }}
),

parameters as (
    select * from {{ ref('stg_model_parameters') }}
    where target = 'churn'
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

champion as (
    select
        model_name,
        parameters_fit_id,
        model_name in ('mbg_nbd', 'bg_nbd') as is_btyd
    from champions
    where target = 'churn'
),

champion_parameters as (
    select
        champion.model_name,
        champion.is_btyd,
        parameters.horizon_days,
        parameters.parameter,
        parameters.value
    from champion
    left join parameters
        on champion.parameters_fit_id = parameters.fit_id
        and champion.model_name = parameters.model_name
),

-- one row, also without a champion
lines as (
    select
        model_name,
        {% for days in [30, 90, 180] %}
        max(case when horizon_days = {{ days }} and parameter = 'intercept' then value end) as intercept_{{ days }}d,
        max(case when horizon_days = {{ days }} and parameter = 'calibration_intercept' then value end) as offset_{{ days }}d,
        max(case when horizon_days = {{ days }} and parameter = 'calibration_slope' then value end) as slope_{{ days }}d,
        {% endfor %}
        is_btyd
    from champion_parameters
    group by model_name, is_btyd
),

customer_scores as (
    select
        customer_id,
        {% for days in [30, 90, 180] %}
        max(case when horizon_days = {{ days }} then score end) as score_{{ days }}d{% if not loop.last %},{% endif %}
        {% endfor %}
    from scores
    group by customer_id
),

-- certainty has no odds, so that probabilities stay a millionth away from it
customers as (
    select
        features.customer_id,
        {% for days in [30, 90, 180] %}
        greatest(1e-6, least(1e0 - 1e-6, predictions.no_purchase_probability_{{ days }}d)) as probability_{{ days }}d,
        predictions.no_purchase_probability_{{ days }}d is not null as has_probability_{{ days }}d,
        coalesce(customer_scores.score_{{ days }}d, 0e0) as score_{{ days }}d{% if not loop.last %},{% endif %}
        {% endfor %}
    from features
    inner join run_context on features.as_of_date = run_context.as_of_date
    left join predictions on features.customer_id = predictions.customer_id
    left join customer_scores on features.customer_id = customer_scores.customer_id
),

-- where a calibration could not be fitted there is none, and the probability stays as it is
log_odds as (
    select
        customers.customer_id,
        lines.model_name,
        {% for days in [30, 90, 180] %}
        case
            when lines.is_btyd and customers.has_probability_{{ days }}d
                then
                    coalesce(lines.offset_{{ days }}d, 0e0)
                    + coalesce(lines.slope_{{ days }}d, 1e0)
                    * ln(customers.probability_{{ days }}d / (1e0 - customers.probability_{{ days }}d))
            when not lines.is_btyd then lines.intercept_{{ days }}d + customers.score_{{ days }}d
        end as log_odds_{{ days }}d{% if not loop.last %},{% endif %}
        {% endfor %}
    from customers
    cross join lines
),

probabilities as (
    select
        customer_id,
        model_name,
        {% for days in [30, 90, 180] %}
        1e0 / (1e0 + exp(-log_odds_{{ days }}d)) as probability_{{ days }}d{% if not loop.last %},{% endif %}
        {% endfor %}
    from log_odds
),

-- Who does not come in 180 days does not come in 90: each horizon is fitted by itself and may say otherwise. `least` passes over nulls.
final as (
    select
        customer_id,
        model_name,
        probability_30d as churn_probability_30d,
        case when probability_90d is not null then least(probability_90d, probability_30d) end as churn_probability_90d,
        case
            when probability_180d is not null then least(probability_180d, probability_90d, probability_30d)
        end as churn_probability_180d
    from probabilities
)

select * from final
