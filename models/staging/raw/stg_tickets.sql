with

checked_rows as (
    select * from {{ ref('base_tickets') }}
),

final as (
    select
        ticket_id,
        customer_id,
        opened_at,
        first_responded_at,
        resolved_at,
        reopened_count,
        category,
        is_complaint,
        channel,
        priority,
        updated_at
    from checked_rows
    where row_status = 'accepted'
)

select * from final
