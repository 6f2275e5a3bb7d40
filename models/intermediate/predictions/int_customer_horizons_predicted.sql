with

predictions as (
    select * from {{ ref('int_customer_predictions_scored') }}
),

histories as (
    select * from {{ ref('int_purchase_histories_projected') }}
),

parameters as (
    select r, alpha from {{ ref('int_btyd_parameters_pivoted') }}
),

season_days as (
    select days, effective_days from {{ ref('int_season_days_counted') }}
),

prediction_horizons as (
    select * from {{ ref('prediction_horizons') }}
),

spreads as (
    select * from {{ ref('int_total_spreads_pivoted') }}
),

horizons as (
    select
        prediction_horizons.horizon_days,
        prediction_horizons.is_for_churn,
        season_days.effective_days,
        spreads.purchases_level,
        spreads.clv_level
    from prediction_horizons
    left join season_days on prediction_horizons.horizon_days = season_days.days
    left join spreads on prediction_horizons.horizon_days = spreads.horizon_days
),

-- What customers of one history share, whether or not they have left. Each horizon has a level of its own, and more days bring no less.
history_horizons as (
    select
        histories.repeat_purchase_days,
        histories.tenure_days,
        histories.horizon_days,
        {% for name, level in [('purchases', 'purchases_level'), ('discounted_purchases', 'clv_level')] -%}
        max(histories.{{ name }}_if_alive * horizons.{{ level }}) over (
            partition by histories.repeat_purchase_days, histories.tenure_days
            order by histories.horizon_days asc nulls last
            rows between unbounded preceding and current row
        ) as {{ name }}_if_alive,
        {% endfor -%}
        case
            when horizons.is_for_churn
                then {{ btyd_purchase_probability_if_alive(
                    'parameters.r', 'parameters.alpha', 'histories.repeat_purchase_days', 'histories.tenure_days',
                    'horizons.effective_days'
                ) }}
        end as purchase_probability_if_alive
    from histories
    inner join horizons on histories.horizon_days = horizons.horizon_days
    cross join parameters
),

final as (
    select
        predictions.customer_id,
        history_horizons.horizon_days,
        predictions.p_alive * history_horizons.purchases_if_alive as expected_purchases,
        predictions.p_alive * history_horizons.discounted_purchases_if_alive as discounted_purchases,
        predictions.p_alive * history_horizons.discounted_purchases_if_alive * predictions.expected_spend_per_purchase
            as predicted_clv,
        1e0 - predictions.p_alive * history_horizons.purchase_probability_if_alive as no_purchase_probability
    from predictions
    inner join history_horizons
        on predictions.repeat_purchase_days = history_horizons.repeat_purchase_days
        and predictions.tenure_days = history_horizons.tenure_days
)

select * from final
