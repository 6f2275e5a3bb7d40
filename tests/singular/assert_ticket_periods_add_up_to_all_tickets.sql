with sums as (
    select
        period_grain,
        sum(tickets) as tickets,
        sum(reopened_tickets) as reopened_tickets,
        sum(orders) as orders
    from {{ ref('ticket_performance') }}
    where dimension = 'all'
    group by period_grain
),

known as (
    select count(*) as tickets
    from {{ ref('tickets') }}
),

wholes as (
    select * from sums
    where period_grain = 'all'
)

select sums.period_grain, sums.tickets, sums.orders, wholes.orders as orders_of_all, known.tickets as known_tickets
from known
left join sums on known.tickets > 0
left join wholes on known.tickets > 0
where
    known.tickets > 0
    and (
        sums.tickets is distinct from known.tickets
        or sums.orders is distinct from wholes.orders
        or sums.reopened_tickets is distinct from wholes.reopened_tickets
    )
