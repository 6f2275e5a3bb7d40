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
        {{ adjusted_nps('responses', 'responses', 'favourable_responses', 'unfavourable_responses') }} as adjusted_share,
        {{ adjusted_nps('weight_sum', 'squared_weight_sum', 'favourable_weight_sum', 'unfavourable_weight_sum') }}
            as adjusted_weighted_share
    from sums
),

margins as (
    select
        adjusted.*,
        {{ adjusted_nps_margin(
            'adjusted_share', 'responses', 'responses',
            'favourable_responses', 'neutral_responses', 'unfavourable_responses'
        ) }} as margin,
        {{ adjusted_nps_margin(
            'adjusted_weighted_share', 'weight_sum', 'squared_weight_sum',
            'favourable_squared_weight_sum', 'neutral_squared_weight_sum', 'unfavourable_squared_weight_sum'
        ) }} as weighted_margin
    from adjusted
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
        {{ bounded('1e2 * (adjusted_weighted_share - weighted_margin)', '-1e2', '1e2') }} as weighted_nps_low,
        {{ bounded('1e2 * (adjusted_weighted_share + weighted_margin)', '-1e2', '1e2') }} as weighted_nps_high
    from margins
),

compared as (
    select
        scores.*,
        previous_scores.nps as previous_nps,
        scores.nps - previous_scores.nps as nps_change,
        {{ difference_low('scores.nps', 'scores.nps_low', 'previous_scores.nps', 'previous_scores.nps_high') }}
            as nps_change_low,
        {{ difference_high('scores.nps', 'scores.nps_high', 'previous_scores.nps', 'previous_scores.nps_low') }}
            as nps_change_high
    from scores
    -- the same cut one period before, at most one row: a period without responses is no period to compare with
    left join scores as previous_scores
        on scores.period_grain = previous_scores.period_grain
        and scores.previous_period_start = previous_scores.period_start
        and scores.dimension = previous_scores.dimension
        and scores.dimension_value = previous_scores.dimension_value
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
        nps_change_low > 0e0 or nps_change_high < 0e0 as is_significant,
        is_complete
    from compared
)

{{ select_with_labels('final') }}
