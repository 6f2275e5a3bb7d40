with rates as (
    select
        period_grain,
        sum(invitations) as invitations,
        sum(responses) as answered,
        sum(responses_without_invitation) as uninvited
    from {{ ref('survey_response_rates') }}
    group by period_grain
),

sent as (
    select count(*) as invitations
    from {{ ref('stg_survey_invitations') }} as invitations
    cross join {{ ref('run_context') }} as run_context
    where {{ business_day('invitations.sent_at', 'run_context.business_timezone') }} <= run_context.as_of_date
),

unanswered as (
    select count(*) as invitations from {{ ref('survey_invitations_unanswered') }}
),

uninvited as (
    select count(*) as responses from {{ ref('survey_responses') }}
    where invitation_id is null
)

select
    rates.*,
    sent.invitations as sent_invitations,
    unanswered.invitations as unanswered_invitations,
    uninvited.responses as uninvited_responses
from rates
cross join sent
cross join unanswered
cross join uninvited
where
    rates.invitations != sent.invitations
    or rates.answered + unanswered.invitations != sent.invitations
    or rates.uninvited != uninvited.responses
