with

invitations as (
    select * from {{ ref('stg_survey_invitations') }}
),

aliases as (
    select * from {{ ref('int_customer_aliases_listed') }}
),

run_context as (
    select as_of_date, business_timezone from {{ ref('run_context') }}
),

dated_invitations as (
    select
        invitations.*,
        {{ business_day('invitations.sent_at', 'run_context.business_timezone') }} as sent_on,
        run_context.as_of_date
    from invitations
    cross join run_context
),

final as (
    select
        dated_invitations.invitation_id,
        dated_invitations.survey_type,
        -- one row per alias, so one per invitation
        coalesce(aliases.customer_id, dated_invitations.customer_id) as customer_id,
        dated_invitations.sent_on,
        dated_invitations.channel,
        coalesce(dated_invitations.trigger, 'unknown') as survey_trigger,
        dated_invitations.order_id,
        dated_invitations.ticket_id
    from dated_invitations
    left join aliases on dated_invitations.customer_id = aliases.alias_id
    where dated_invitations.sent_on <= dated_invitations.as_of_date
)

select * from final
