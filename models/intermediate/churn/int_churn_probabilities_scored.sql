with

predictions as (
    select * from {{ ref('int_customer_horizons_predicted') }}
),

scores as (
    select * from {{ ref('int_churn_scores_added') }}
),

champions as (
    select * from {{ ref('int_model_champions_current') }}
),

parameters as (
    select * from {{ ref('stg_model_parameters') }}
    where target = 'churn'
),

churn_horizons as (
    select horizon_days from {{ ref('prediction_horizons') }}
    where is_for_churn
),

champion as (
    select
        model_name,
        parameters_fit_id,
        model_name in ('mbg_nbd', 'bg_nbd') as is_btyd
    from champions
    where target = 'churn'
),

-- one row per horizon, also without a champion
lines as (
    select
        churn_horizons.horizon_days,
        champion.model_name,
        champion.is_btyd,
        max(case when parameters.parameter = 'intercept' then parameters.value end) as score_intercept,
        max(case when parameters.parameter = 'calibration_intercept' then parameters.value end) as calibration_intercept,
        max(case when parameters.parameter = 'calibration_slope' then parameters.value end) as calibration_slope
    from champion
    cross join churn_horizons
    left join parameters
        on champion.parameters_fit_id = parameters.fit_id
        and champion.model_name = parameters.model_name
        and churn_horizons.horizon_days = parameters.horizon_days
    group by churn_horizons.horizon_days, champion.model_name, champion.is_btyd
),

-- certainty has no odds, so that probabilities stay a millionth away from it
customers as (
    select
        predictions.customer_id,
        predictions.horizon_days,
        lines.model_name,
        lines.is_btyd,
        lines.score_intercept,
        lines.calibration_intercept,
        lines.calibration_slope,
        case
            when predictions.no_purchase_probability is not null
                then greatest(1e-6, least(1e0 - 1e-6, predictions.no_purchase_probability))
        end as no_purchase_probability,
        coalesce(scores.score, 0e0) as score
    from predictions
    inner join lines on predictions.horizon_days = lines.horizon_days
    left join scores
        on predictions.customer_id = scores.customer_id
        and predictions.horizon_days = scores.horizon_days
),

-- where a calibration could not be fitted there is none, and the probability stays as it is
log_odds as (
    select
        customer_id,
        horizon_days,
        model_name,
        case
            when is_btyd
                then
                    coalesce(calibration_intercept, 0e0)
                    + coalesce(calibration_slope, 1e0) * ln(no_purchase_probability / (1e0 - no_purchase_probability))
            when not is_btyd then score_intercept + score
        end as log_odds
    from customers
),

probabilities as (
    select
        customer_id,
        horizon_days,
        model_name,
        1e0 / (1e0 + exp(-log_odds)) as probability
    from log_odds
),

-- Who does not come in 180 days does not come in 90: each horizon is fitted by itself and may say otherwise. `min` passes over nulls.
final as (
    select
        customer_id,
        horizon_days,
        model_name,
        case
            when probability is not null
                then
                    min(probability) over (
                        partition by customer_id
                        order by horizon_days asc nulls last
                        rows between unbounded preceding and current row
                    )
        end as churn_probability
    from probabilities
)

select * from final
