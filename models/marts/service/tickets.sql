with

tickets as (
    select * from {{ ref('int_tickets_timed') }}
),

final as (
    select
        ticket_id,
        customer_id,
        opened_at,
        opened_on,
        category,
        priority,
        channel,
        is_complaint,
        is_first_responded,
        is_resolved,
        first_response_hours,
        resolution_hours,
        first_response_target_hours,
        resolution_target_hours,
        is_within_first_response_target,
        is_within_resolution_target,
        reopened_count,
        is_bad
    from tickets
)

{{ select_with_labels('final') }}
