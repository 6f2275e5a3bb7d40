with

invitations as (
    select * from {{ ref('int_survey_invitations_answered') }}
),

responses as (
    select * from {{ ref('int_survey_responses_resolved') }}
),

periods as (
    select * from {{ ref('int_survey_periods_listed') }}
),

-- an answer belongs to the day on which it was asked for; one that nobody asked for has only its own
events as (
    select
        sent_on as survey_on,
        survey_type,
        coalesce(channel, 'unknown') as channel,
        1 as is_invitation,
        case when is_answered then 1 else 0 end as is_answered,
        0 as is_uninvited
    from invitations
    union all
    select
        responded_on as survey_on,
        survey_type,
        coalesce(channel, 'unknown') as channel,
        0 as is_invitation,
        0 as is_answered,
        1 as is_uninvited
    from responses
    where invitation_id is null
),

counted as (
    select
        periods.period_start,
        periods.period_grain,
        periods.is_complete,
        events.survey_type,
        events.channel,
        cast(sum(events.is_invitation) as bigint) as invitations,
        cast(sum(events.is_answered) as bigint) as responses,
        cast(sum(events.is_uninvited) as bigint) as responses_without_invitation
    from events
    -- a day has one row per grain, so an event has four
    inner join periods on events.survey_on = periods.survey_on
    group by periods.period_start, periods.period_grain, periods.is_complete, events.survey_type, events.channel
),

final as (
    select
        period_start,
        period_grain,
        survey_type,
        channel,
        invitations,
        responses,
        {{ ratio('responses', 'invitations') }} as response_rate,
        {{ wilson_low('responses', 'invitations') }} as response_rate_low,
        {{ wilson_high('responses', 'invitations') }} as response_rate_high,
        responses_without_invitation,
        is_complete
    from counted
)

{{ select_with_labels('final') }}
