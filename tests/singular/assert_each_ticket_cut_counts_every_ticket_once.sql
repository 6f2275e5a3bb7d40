with sums as (
    select
        period_grain,
        period_start,
        dimension,
        sum(tickets) as tickets,
        sum(complaints) as complaints,
        sum(first_response_due_tickets) as responses_due,
        sum(resolution_within_tickets) as resolved_within
    from {{ ref('ticket_performance') }}
    group by period_grain, period_start, dimension
)

select sums.period_grain, sums.period_start, sums.dimension, sums.tickets, wholes.tickets as tickets_of_all
from sums
inner join sums as wholes
    on sums.period_grain = wholes.period_grain
    and sums.period_start = wholes.period_start
    and wholes.dimension = 'all'
where
    sums.tickets != wholes.tickets
    or sums.complaints != wholes.complaints
    or sums.responses_due != wholes.responses_due
    or sums.resolved_within != wholes.resolved_within
