with known_tickets as (
    select stg_tickets.ticket_id
    from {{ ref('stg_tickets') }} as stg_tickets
    cross join {{ ref('run_context') }} as run_context
    where {{ business_day('stg_tickets.opened_at', 'run_context.business_timezone') }} <= run_context.as_of_date
)

select known_tickets.ticket_id as known_ticket_id, tickets.ticket_id
from known_tickets
full outer join {{ ref('tickets') }} as tickets on known_tickets.ticket_id = tickets.ticket_id
where known_tickets.ticket_id is null or tickets.ticket_id is null
