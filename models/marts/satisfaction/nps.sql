{#- a promoter counts 1, a passive 0, a detractor -1; one of each is added -#}
{%- set added = [-1, 0, 1] -%}
with

sums as (
    select * from {{ ref('int_survey_periods_summed') }}
    where survey_type = 'nps'
),

-- the same figures twice: with every response counting as one, and as its weight
adjusted as (
    select
        sums.*,
        {{ ratio('favourable_responses - unfavourable_responses', 'responses') }} as share,
        {{ ratio('favourable_weight_sum - unfavourable_weight_sum', 'weight_sum') }} as weighted_share,
        {{ adjusted_mean('responses', 'responses', 'favourable_responses - unfavourable_responses', added) }} as adjusted_share,
        {{ adjusted_mean('weight_sum', 'squared_weight_sum', 'favourable_weight_sum - unfavourable_weight_sum', added) }}
            as adjusted_mean
    from sums
),

errors as (
    select
        adjusted.*,
        {{ adjusted_squared_error(
            'adjusted_share', 'responses', 'responses',
            'favourable_responses - unfavourable_responses', 'favourable_responses + unfavourable_responses', added
        ) }} as squared_error,
        {{ adjusted_squared_error(
            'adjusted_mean', 'weight_sum', 'squared_weight_sum',
            'favourable_squared_weight_sum - unfavourable_squared_weight_sum',
            'favourable_squared_weight_sum + unfavourable_squared_weight_sum', added
        ) }} as adjusted_squared_error
    from adjusted
),

margins as (
    select
        errors.*,
        {{ z_95() }} * sqrt(errors.squared_error) as margin,
        {{ z_95() }} * sqrt(errors.adjusted_squared_error) as weighted_margin
    from errors
),

scores as (
    select
        period_start,
        period_grain,
        previous_period_start,
        is_complete,
        dimension,
        dimension_value,
        responses,
        favourable_responses as promoters,
        neutral_responses as passives,
        unfavourable_responses as detractors,
        1e2 * share as nps,
        {{ bounded('1e2 * (adjusted_share - margin)', '-1e2', '1e2') }} as nps_low,
        {{ bounded('1e2 * (adjusted_share + margin)', '-1e2', '1e2') }} as nps_high,
        1e2 * weighted_share as weighted_nps,
        {{ bounded('1e2 * (adjusted_mean - weighted_margin)', '-1e2', '1e2') }} as weighted_nps_low,
        {{ bounded('1e2 * (adjusted_mean + weighted_margin)', '-1e2', '1e2') }} as weighted_nps_high,
        adjusted_mean,
        adjusted_squared_error
    from margins
),

compared as (
    {{ with_previous_period('scores', [
        'nps', 'nps_low', 'nps_high', 'weighted_nps', 'weighted_nps_low', 'weighted_nps_high',
        'adjusted_mean', 'adjusted_squared_error',
    ]) }}
),

tested as (
    {{ with_tested_changes('compared') }}
),

changes as (
    select
        tested.*,
        tested.nps - tested.previous_nps as nps_change,
        {{ difference_low('nps', 'nps_low', 'previous_nps', 'previous_nps_high') }} as nps_change_low,
        {{ difference_high('nps', 'nps_high', 'previous_nps', 'previous_nps_low') }} as nps_change_high,
        tested.weighted_nps - tested.previous_weighted_nps as weighted_nps_change,
        {{ difference_low('weighted_nps', 'weighted_nps_low', 'previous_weighted_nps', 'previous_weighted_nps_high') }}
            as weighted_nps_change_low,
        {{ difference_high('weighted_nps', 'weighted_nps_high', 'previous_weighted_nps', 'previous_weighted_nps_low') }}
            as weighted_nps_change_high
    from tested
),

final as (
    select
        period_start,
        period_grain,
        dimension,
        dimension_value,
        responses,
        promoters,
        passives,
        detractors,
        nps,
        nps_low,
        nps_high,
        weighted_nps,
        weighted_nps_low,
        weighted_nps_high,
        previous_nps,
        nps_change,
        nps_change_low,
        nps_change_high,
        weighted_nps_change,
        weighted_nps_change_low,
        weighted_nps_change_high,
        nps_change_low > 0e0 or nps_change_high < 0e0 as is_significant,
        p_value,
        q_value,
        is_flagged,
        is_complete
    from changes
)

{{ select_with_labels('final') }}
