with

sums as (
    select * from {{ ref('int_survey_periods_summed') }}
    where survey_type = 'ces'
),

spread as (
    select
        sums.*,
        {{ ratio('score_sum', 'responses') }} as ces_mean,
        cast(nullif(sums.responses - 1, 0) as double) as degrees_of_freedom,
        -- whole numbers, so that equal scores have a variance of zero exactly
        {{ ratio('responses * squared_score_sum - score_sum * score_sum', 'responses * (responses - 1)') }} as variance,
        {{ effective_size('weight_sum', 'squared_weight_sum') }} as effective_responses,
        {{ ratio('favourable_weight_sum', 'weight_sum') }} as weighted_easy_rate
    from sums
),

errors as (
    select
        spread.*,
        -- scores that are all the same do not show how far others might be from them: no interval, rather than one without width
        case when spread.variance > 0e0 then spread.variance / spread.responses end as squared_error
    from spread
),

means as (
    select
        errors.*,
        {{ t_95('errors.degrees_of_freedom') }} * sqrt(errors.squared_error) as margin
    from errors
),

compared as (
    select
        means.*,
        previous_means.ces_mean as previous_ces_mean,
        means.ces_mean - previous_means.ces_mean as ces_change,
        means.squared_error + previous_means.squared_error as change_squared_error,
        -- Welch's degrees of freedom: the spread of the two periods may differ
        (means.squared_error + previous_means.squared_error) * (means.squared_error + previous_means.squared_error) / (
            means.squared_error * means.squared_error / means.degrees_of_freedom
            + previous_means.squared_error * previous_means.squared_error / previous_means.degrees_of_freedom
        ) as change_degrees_of_freedom
    from means
    -- the same cut one period before, at most one row: a period without responses is no period to compare with
    left join means as previous_means
        on means.period_grain = previous_means.period_grain
        and means.previous_period_start = previous_means.period_start
        and means.dimension = previous_means.dimension
        and means.dimension_value = previous_means.dimension_value
),

changes as (
    select
        compared.*,
        {{ bounded('compared.ces_mean - compared.margin', '1e0', '7e0') }} as ces_mean_low,
        {{ bounded('compared.ces_mean + compared.margin', '1e0', '7e0') }} as ces_mean_high,
        {{ t_95('compared.change_degrees_of_freedom') }} * sqrt(compared.change_squared_error) as change_margin
    from compared
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
        {{ ratio('weighted_score_sum', 'weight_sum') }} as weighted_ces_mean,
        weighted_easy_rate as weighted_ces_easy_rate,
        {{ wilson_low('weighted_easy_rate * effective_responses', 'effective_responses') }} as weighted_ces_easy_rate_low,
        {{ wilson_high('weighted_easy_rate * effective_responses', 'effective_responses') }} as weighted_ces_easy_rate_high,
        previous_ces_mean,
        ces_change,
        {{ bounded('ces_change - change_margin', '-6e0', '6e0') }} as ces_change_low,
        {{ bounded('ces_change + change_margin', '-6e0', '6e0') }} as ces_change_high,
        abs(ces_change) > change_margin as is_significant,
        is_complete,
        ces_mean_low as ci_low,
        ces_mean_high as ci_high
    from changes
)

{{ select_with_labels('final') }}
