with

checked_rows as (
    select * from {{ ref('base_survey_invitations') }}
),

final as (
    select
        invitation_id,
        survey_type,
        customer_id,
        sent_at,
        channel,
        trigger,
        order_id,
        ticket_id
    from checked_rows
    where row_status = 'accepted'
)

select * from final
