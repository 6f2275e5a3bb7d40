with

invitations as (
    select * from {{ ref('int_survey_invitations_resolved') }}
),

responses as (
    select * from {{ ref('int_survey_responses_resolved') }}
),

-- however often an invitation was answered, it was answered once
answered_invitations as (
    select invitation_id
    from responses
    where invitation_id is not null
    group by invitation_id
),

final as (
    select
        invitations.invitation_id,
        invitations.survey_type,
        invitations.customer_id,
        invitations.sent_on,
        invitations.channel,
        invitations.survey_trigger,
        invitations.order_id,
        invitations.ticket_id,
        answered_invitations.invitation_id is not null as is_answered
    from invitations
    left join answered_invitations on invitations.invitation_id = answered_invitations.invitation_id
)

select * from final
