with

invitations as (
    select * from {{ ref('int_survey_invitations_answered') }}
    where not is_answered
),

customers as (
    select * from {{ ref('int_customers_described') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

final as (
    select
        invitations.invitation_id,
        invitations.customer_id,
        invitations.survey_type,
        invitations.sent_on,
        {{ day_diff('invitations.sent_on', 'run_context.as_of_date') }} as days_open,
        invitations.channel,
        invitations.survey_trigger,
        invitations.order_id,
        invitations.ticket_id,
        coalesce(customers.is_contactable, false) as is_contactable
    from invitations
    cross join run_context
    -- one row per customer
    left join customers on invitations.customer_id = customers.customer_id
)

{{ select_with_labels('final') }}
