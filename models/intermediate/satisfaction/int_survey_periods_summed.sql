with

responses as (
    select * from {{ ref('int_survey_responses_resolved') }}
),

periods as (
    select * from {{ ref('int_survey_periods_listed') }}
),

dimensions as (
    select * from {{ ref('int_survey_dimensions_listed') }}
),

-- NPS asks how a customer feels, so a customer counts once in a period, with the latest answer. CSAT and CES ask about one
-- occasion, and each occasion counts.
counted as (
    select
        responses.response_id,
        responses.survey_type,
        responses.score,
        responses.direction,
        responses.weight,
        -- exact: a weight is 10^9 at most; of two narrow decimals an engine may make a narrow one
        cast(cast(responses.weight as decimal(19, 4)) * cast(responses.weight as decimal(14, 4)) as decimal(28, 8)) as squared_weight,
        periods.period_grain,
        periods.period_start,
        periods.previous_period_start,
        periods.is_complete
    from responses
    -- a day has one row per grain, so a response has four
    inner join periods on responses.responded_on = periods.survey_on
    where
        responses.survey_type != 'nps'
        or case periods.period_grain
            when 'month' then responses.is_latest_of_month
            when 'quarter' then responses.is_latest_of_quarter
            when 'year' then responses.is_latest_of_year
            else responses.is_latest
        end
),

final as (
    select
        counted.survey_type,
        counted.period_grain,
        counted.period_start,
        counted.previous_period_start,
        counted.is_complete,
        dimensions.dimension,
        dimensions.dimension_value,
        count(*) as responses,
        cast(sum(counted.score) as bigint) as score_sum,
        cast(sum(counted.score * counted.score) as bigint) as squared_score_sum,
        cast(sum(counted.weight) as double) as weight_sum,
        cast(sum({{ product('counted.weight', 'counted.score') }}) as double) as weighted_score_sum,
        {% for name, direction in [('favourable', 1), ('neutral', 0), ('unfavourable', -1)] %}
        count(*) filter (where counted.direction = {{ direction }}) as {{ name }}_responses,
        cast(sum(case when counted.direction = {{ direction }} then counted.weight else 0 end) as double) as {{ name }}_weight_sum,
        cast(
            sum(case when counted.direction = {{ direction }} then counted.squared_weight else 0 end) as double
        ) as {{ name }}_squared_weight_sum,
        {% endfor %}
        cast(sum(counted.squared_weight) as double) as squared_weight_sum,
        cast(sum(counted.squared_weight * cast(counted.score as decimal(2, 0))) as double) as squared_weight_score_sum,
        cast(
            sum(counted.squared_weight * cast(counted.score * counted.score as decimal(4, 0))) as double
        ) as squared_weight_squared_score_sum
    from counted
    inner join dimensions on counted.response_id = dimensions.response_id
    group by
        counted.survey_type,
        counted.period_grain,
        counted.period_start,
        counted.previous_period_start,
        counted.is_complete,
        dimensions.dimension,
        dimensions.dimension_value
)

select * from final
