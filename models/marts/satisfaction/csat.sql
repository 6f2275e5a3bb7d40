{#- a satisfied response counts 1, any other 0; one of each is added -#}
{%- set added = [0, 1] -%}
with

sums as (
    select * from {{ ref('int_survey_periods_summed') }}
    where survey_type = 'csat'
),

weighed as (
    select
        sums.*,
        {{ effective_size('weight_sum', 'squared_weight_sum') }} as effective_responses,
        {{ ratio('favourable_weight_sum', 'weight_sum') }} as weighted_csat_rate,
        {{ adjusted_mean('weight_sum', 'squared_weight_sum', 'favourable_weight_sum', added) }} as adjusted_mean
    from sums
),

rates as (
    select
        period_start,
        period_grain,
        previous_period_start,
        is_complete,
        dimension,
        dimension_value,
        responses,
        favourable_responses as satisfied,
        neutral_responses as neutral,
        unfavourable_responses as dissatisfied,
        {{ ratio('favourable_responses', 'responses') }} as csat_rate,
        {{ wilson_low('favourable_responses', 'responses') }} as csat_rate_low,
        {{ wilson_high('favourable_responses', 'responses') }} as csat_rate_high,
        {{ ratio('score_sum', 'responses') }} as csat_mean,
        weighted_csat_rate,
        {{ wilson_low('weighted_csat_rate * effective_responses', 'effective_responses') }} as weighted_csat_rate_low,
        {{ wilson_high('weighted_csat_rate * effective_responses', 'effective_responses') }} as weighted_csat_rate_high,
        adjusted_mean,
        {{ adjusted_squared_error(
            'adjusted_mean', 'weight_sum', 'squared_weight_sum',
            'favourable_squared_weight_sum', 'favourable_squared_weight_sum', added
        ) }} as adjusted_squared_error
    from weighed
),

compared as (
    {{ with_previous_period('rates', [
        'csat_rate', 'csat_rate_low', 'csat_rate_high',
        'weighted_csat_rate', 'weighted_csat_rate_low', 'weighted_csat_rate_high',
        'adjusted_mean', 'adjusted_squared_error',
    ]) }}
),

tested as (
    {{ with_tested_changes('compared') }}
),

changes as (
    select
        tested.*,
        tested.csat_rate - tested.previous_csat_rate as csat_change,
        {{ difference_low('csat_rate', 'csat_rate_low', 'previous_csat_rate', 'previous_csat_rate_high') }} as csat_change_low,
        {{ difference_high('csat_rate', 'csat_rate_high', 'previous_csat_rate', 'previous_csat_rate_low') }} as csat_change_high,
        tested.weighted_csat_rate - tested.previous_weighted_csat_rate as weighted_csat_change,
        {{ difference_low(
            'weighted_csat_rate', 'weighted_csat_rate_low', 'previous_weighted_csat_rate', 'previous_weighted_csat_rate_high'
        ) }} as weighted_csat_change_low,
        {{ difference_high(
            'weighted_csat_rate', 'weighted_csat_rate_high', 'previous_weighted_csat_rate', 'previous_weighted_csat_rate_low'
        ) }} as weighted_csat_change_high
    from tested
),

final as (
    select
        period_start,
        period_grain,
        dimension,
        dimension_value,
        responses,
        satisfied,
        neutral,
        dissatisfied,
        csat_rate,
        csat_rate_low,
        csat_rate_high,
        csat_mean,
        weighted_csat_rate,
        weighted_csat_rate_low,
        weighted_csat_rate_high,
        previous_csat_rate,
        csat_change,
        csat_change_low,
        csat_change_high,
        weighted_csat_change,
        weighted_csat_change_low,
        weighted_csat_change_high,
        csat_change_low > 0e0 or csat_change_high < 0e0 as is_significant,
        p_value,
        q_value,
        is_flagged,
        is_complete,
        csat_rate_low as ci_low,
        csat_rate_high as ci_high
    from changes
)

{{ select_with_labels('final') }}
