with

responses as (
    select * from {{ ref('stg_survey_responses') }}
),

invitations as (
    select * from {{ ref('int_survey_invitations_resolved') }}
),

aliases as (
    select * from {{ ref('int_customer_aliases_listed') }}
),

response_groups as (
    select * from {{ ref('survey_response_groups') }}
),

run_context as (
    select as_of_date, business_timezone from {{ ref('run_context') }}
),

dated_responses as (
    select
        responses.response_id,
        responses.invitation_id,
        responses.customer_id,
        responses.survey_type,
        responses.score,
        responses.weight,
        responses.channel,
        responses.language,
        responses.comment is not null as has_comment,
        responses.responded_at,
        {{ business_day('responses.responded_at', 'run_context.business_timezone') }} as responded_on,
        run_context.as_of_date
    from responses
    cross join run_context
),

-- An anonymous response stays anonymous, although its invitation names a customer: it was promised to the one who answered.
-- An order or a ticket would break that promise too.
resolved_responses as (
    select
        dated_responses.response_id,
        invitations.invitation_id,
        coalesce(aliases.customer_id, dated_responses.customer_id) as customer_id,
        dated_responses.survey_type,
        cast(dated_responses.score as integer) as score,
        {{ money('coalesce(dated_responses.weight, 1)') }} as weight,
        response_groups.response_group,
        response_groups.direction,
        coalesce(invitations.survey_trigger, 'unknown') as survey_trigger,
        dated_responses.channel,
        dated_responses.language,
        dated_responses.has_comment,
        dated_responses.responded_at,
        dated_responses.responded_on,
        -- an invitation that is dated after its answer says nothing of how long that took
        case
            when invitations.sent_on <= dated_responses.responded_on
                then {{ day_diff('invitations.sent_on', 'dated_responses.responded_on') }}
        end as days_to_answer,
        case when dated_responses.customer_id is not null then invitations.order_id end as order_id,
        case when dated_responses.customer_id is not null then invitations.ticket_id end as ticket_id
    from dated_responses
    -- one row per id, alias and score on the right: one per response remains
    left join invitations on dated_responses.invitation_id = invitations.invitation_id
    left join aliases on dated_responses.customer_id = aliases.alias_id
    left join response_groups
        on dated_responses.survey_type = response_groups.survey_type
        and dated_responses.score >= response_groups.from_score
        and dated_responses.score <= response_groups.to_score
    where dated_responses.responded_on <= dated_responses.as_of_date
),

final as (
    select
        response_id,
        invitation_id,
        customer_id,
        survey_type,
        score,
        weight,
        response_group,
        direction,
        survey_trigger,
        channel,
        language,
        has_comment,
        responded_at,
        responded_on,
        days_to_answer,
        order_id,
        ticket_id,
        {% for grain in ['month', 'quarter', 'year'] %}
        customer_id is null or row_number() over (
            partition by survey_type, customer_id, {{ period_start(grain, 'responded_on') }}
            order by responded_at desc nulls last, response_id desc nulls last
        ) = 1 as is_latest_of_{{ grain }},
        {% endfor %}
        customer_id is null or row_number() over (
            partition by survey_type, customer_id
            order by responded_at desc nulls last, response_id desc nulls last
        ) = 1 as is_latest
    from resolved_responses
)

select * from final
