{#- for the p-value a response is added at either end of the scale, and one in the middle -#}
{%- set added = [1, 4, 7] -%}
with

sums as (
    select * from {{ ref('int_survey_periods_summed') }}
    where survey_type = 'ces'
),

means as (
    select
        sums.*,
        {{ ratio('score_sum', 'responses') }} as ces_mean,
        {{ ratio('weighted_score_sum', 'weight_sum') }} as weighted_ces_mean,
        -- whole numbers, so that equal scores have a variance of zero exactly
        {{ ratio('responses * squared_score_sum - score_sum * score_sum', 'responses * (responses - 1)') }} as variance,
        {{ effective_size('weight_sum', 'squared_weight_sum') }} as effective_responses,
        {{ ratio('favourable_weight_sum', 'weight_sum') }} as weighted_easy_rate,
        {{ adjusted_mean('weight_sum', 'squared_weight_sum', 'weighted_score_sum', added) }} as adjusted_mean
    from sums
),

spread as (
    select
        means.*,
        cast(nullif(means.responses - 1, 0) as double) as degrees_of_freedom,
        -- with fewer than two effective responses nothing shows a spread; equal weights make a whole number but for rounding
        case when means.effective_responses > 2e0 - 1e-9 then means.effective_responses - 1e0 end as weighted_degrees_of_freedom,
        means.squared_weight_squared_score_sum - 2e0 * means.weighted_ces_mean * means.squared_weight_score_sum
        + means.weighted_ces_mean * means.weighted_ces_mean * means.squared_weight_sum as weighted_squares
    from means
),

errors as (
    select
        spread.*,
        -- scores that are all the same do not show how far others might be from them: no interval, rather than one without width
        case when spread.variance > 0e0 then spread.variance / spread.responses end as squared_error,
        -- zero but for rounding, where all scores that weigh something are the same
        case
            when spread.weighted_squares > 1e-9 * spread.squared_weight_sum
                then
                    spread.weighted_squares / (spread.weight_sum * spread.weight_sum)
                    * spread.effective_responses / spread.weighted_degrees_of_freedom
        end as weighted_squared_error,
        {{ adjusted_squared_error(
            'adjusted_mean', 'weight_sum', 'squared_weight_sum',
            'squared_weight_score_sum', 'squared_weight_squared_score_sum', added
        ) }} as adjusted_squared_error
    from spread
),

compared as (
    {{ with_previous_period('errors', [
        'ces_mean', 'squared_error', 'degrees_of_freedom',
        'weighted_ces_mean', 'weighted_squared_error', 'weighted_degrees_of_freedom',
        'adjusted_mean', 'adjusted_squared_error',
    ]) }}
),

tested as (
    {{ with_tested_changes('compared') }}
),

freedom as (
    select
        tested.*,
        {{ t_95('degrees_of_freedom') }} * sqrt(tested.squared_error) as margin,
        {{ welch_degrees_of_freedom(
            'squared_error', 'degrees_of_freedom', 'previous_squared_error', 'previous_degrees_of_freedom'
        ) }} as change_degrees_of_freedom,
        {{ welch_degrees_of_freedom(
            'weighted_squared_error', 'weighted_degrees_of_freedom',
            'previous_weighted_squared_error', 'previous_weighted_degrees_of_freedom'
        ) }} as weighted_change_degrees_of_freedom
    from tested
),

changes as (
    select
        freedom.*,
        freedom.ces_mean - freedom.previous_ces_mean as ces_change,
        {{ t_95('change_degrees_of_freedom') }} * sqrt(freedom.squared_error + freedom.previous_squared_error) as change_margin,
        freedom.weighted_ces_mean - freedom.previous_weighted_ces_mean as weighted_ces_change,
        {{ t_95('weighted_change_degrees_of_freedom') }}
        * sqrt(freedom.weighted_squared_error + freedom.previous_weighted_squared_error) as weighted_change_margin,
        {{ bounded('ces_mean - margin', '1e0', '7e0') }} as ces_mean_low,
        {{ bounded('ces_mean + margin', '1e0', '7e0') }} as ces_mean_high
    from freedom
),

final as (
    select
        period_start,
        period_grain,
        dimension,
        dimension_value,
        responses,
        favourable_responses as satisfied,
        neutral_responses as neutral,
        unfavourable_responses as dissatisfied,
        ces_mean,
        ces_mean_low,
        ces_mean_high,
        {{ ratio('favourable_responses', 'responses') }} as ces_easy_rate,
        {{ wilson_low('favourable_responses', 'responses') }} as ces_easy_rate_low,
        {{ wilson_high('favourable_responses', 'responses') }} as ces_easy_rate_high,
        weighted_ces_mean,
        weighted_easy_rate as weighted_ces_easy_rate,
        {{ wilson_low('weighted_easy_rate * effective_responses', 'effective_responses') }} as weighted_ces_easy_rate_low,
        {{ wilson_high('weighted_easy_rate * effective_responses', 'effective_responses') }} as weighted_ces_easy_rate_high,
        previous_ces_mean,
        ces_change,
        {{ bounded('ces_change - change_margin', '-6e0', '6e0') }} as ces_change_low,
        {{ bounded('ces_change + change_margin', '-6e0', '6e0') }} as ces_change_high,
        weighted_ces_change,
        {{ bounded('weighted_ces_change - weighted_change_margin', '-6e0', '6e0') }} as weighted_ces_change_low,
        {{ bounded('weighted_ces_change + weighted_change_margin', '-6e0', '6e0') }} as weighted_ces_change_high,
        abs(ces_change) > change_margin as is_significant,
        p_value,
        q_value,
        is_flagged,
        is_complete,
        ces_mean_low as ci_low,
        ces_mean_high as ci_high
    from changes
)

{{ select_with_labels('final') }}
