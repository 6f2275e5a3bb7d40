with

sums as (
    select * from {{ ref('int_survey_periods_summed') }}
    where survey_type = 'csat'
),

weighed as (
    select
        sums.*,
        {{ effective_size('weight_sum', 'squared_weight_sum') }} as effective_responses,
        {{ ratio('favourable_weight_sum', 'weight_sum') }} as weighted_csat_rate
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
        {{ wilson_high('weighted_csat_rate * effective_responses', 'effective_responses') }} as weighted_csat_rate_high
    from weighed
),

compared as (
    select
        rates.*,
        previous_rates.csat_rate as previous_csat_rate,
        rates.csat_rate - previous_rates.csat_rate as csat_change,
        {{ difference_low('rates.csat_rate', 'rates.csat_rate_low', 'previous_rates.csat_rate', 'previous_rates.csat_rate_high') }}
            as csat_change_low,
        {{ difference_high('rates.csat_rate', 'rates.csat_rate_high', 'previous_rates.csat_rate', 'previous_rates.csat_rate_low') }}
            as csat_change_high
    from rates
    -- the same cut one period before, at most one row: a period without responses is no period to compare with
    left join rates as previous_rates
        on rates.period_grain = previous_rates.period_grain
        and rates.previous_period_start = previous_rates.period_start
        and rates.dimension = previous_rates.dimension
        and rates.dimension_value = previous_rates.dimension_value
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
        csat_change_low > 0e0 or csat_change_high < 0e0 as is_significant,
        is_complete,
        csat_rate_low as ci_low,
        csat_rate_high as ci_high
    from compared
)

{{ select_with_labels('final') }}
