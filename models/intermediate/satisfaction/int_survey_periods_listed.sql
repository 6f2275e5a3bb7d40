with

invitations as (
    select * from {{ ref('int_survey_invitations_resolved') }}
),

responses as (
    select * from {{ ref('int_survey_responses_resolved') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

events as (
    select sent_on as survey_on from invitations
    union all
    select responded_on as survey_on from responses
),

survey_days as (
    select survey_on
    from events
    group by survey_on
),

first_day as (
    select min(survey_on) as first_survey_on from survey_days
),

final as (
    {% for grain, months in [('month', 1), ('quarter', 3), ('year', 12)] -%}
    select
        survey_days.survey_on,
        '{{ grain }}' as period_grain,
        {{ period_start(grain, 'survey_days.survey_on') }} as period_start,
        {{ add_months(period_start(grain, 'survey_days.survey_on'), -months) }} as previous_period_start,
        {{ period_end(grain, 'survey_days.survey_on') }} <= run_context.as_of_date as is_complete
    from survey_days
    cross join run_context
    union all

    {% endfor -%}
    -- all that is known: one period of one start for every kind of survey, and none before it
    select
        survey_days.survey_on,
        'all' as period_grain,
        {{ period_start('month', 'first_day.first_survey_on') }} as period_start,
        cast(null as date) as previous_period_start,
        true as is_complete
    from survey_days
    cross join first_day
)

select * from final
