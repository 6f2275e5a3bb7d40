with

ticket_sums as (
    select * from {{ ref('int_ticket_periods_summed') }}
),

periods as (
    select * from {{ ref('int_ticket_periods_listed') }}
),

orders as (
    select ordered_on from {{ ref('int_orders_validated') }}
    where is_valid
),

-- an order is of no category, priority or channel of tickets, so orders are counted for the whole alone
order_sums as (
    select
        periods.period_grain,
        periods.period_start,
        periods.is_complete,
        'all' as dimension,
        'all' as dimension_value,
        count(*) as orders
    from orders
    inner join periods on orders.ordered_on = periods.day_on
    group by periods.period_grain, periods.period_start, periods.is_complete
),

-- a period with orders and without a ticket is one without complaints
joined_sums as (
    select
        coalesce(ticket_sums.period_start, order_sums.period_start) as period_start,
        coalesce(ticket_sums.period_grain, order_sums.period_grain) as period_grain,
        coalesce(ticket_sums.is_complete, order_sums.is_complete) as is_complete,
        coalesce(ticket_sums.dimension, order_sums.dimension) as dimension,
        coalesce(ticket_sums.dimension_value, order_sums.dimension_value) as dimension_value,
        {% for column in [
            'tickets', 'first_responded_tickets', 'resolved_tickets', 'first_response_due_tickets', 'first_response_within_tickets',
            'resolution_due_tickets', 'resolution_within_tickets', 'reopenable_tickets', 'reopened_tickets', 'classed_tickets', 'complaints'
        ] -%}
        coalesce(ticket_sums.{{ column }}, 0) as {{ column }},
        {% endfor -%}
        ticket_sums.median_first_response_hours,
        ticket_sums.p90_first_response_hours,
        ticket_sums.median_resolution_hours,
        ticket_sums.p90_resolution_hours,
        case when coalesce(ticket_sums.dimension, 'all') = 'all' then coalesce(order_sums.orders, 0) end as orders
    from ticket_sums
    full outer join order_sums
        on ticket_sums.period_grain = order_sums.period_grain
        and ticket_sums.period_start = order_sums.period_start
        and ticket_sums.dimension = order_sums.dimension
        and ticket_sums.dimension_value = order_sums.dimension_value
),

final as (
    select
        period_start,
        period_grain,
        dimension,
        dimension_value,
        tickets,
        first_responded_tickets,
        resolved_tickets,
        median_first_response_hours,
        p90_first_response_hours,
        median_resolution_hours,
        p90_resolution_hours,
        first_response_due_tickets,
        first_response_within_tickets,
        {{ ratio('first_response_within_tickets', 'first_response_due_tickets') }} as first_response_within_rate,
        {{ wilson_low('first_response_within_tickets', 'first_response_due_tickets') }} as first_response_within_rate_low,
        {{ wilson_high('first_response_within_tickets', 'first_response_due_tickets') }} as first_response_within_rate_high,
        resolution_due_tickets,
        resolution_within_tickets,
        {{ ratio('resolution_within_tickets', 'resolution_due_tickets') }} as resolution_within_rate,
        {{ wilson_low('resolution_within_tickets', 'resolution_due_tickets') }} as resolution_within_rate_low,
        {{ wilson_high('resolution_within_tickets', 'resolution_due_tickets') }} as resolution_within_rate_high,
        reopenable_tickets,
        reopened_tickets,
        {{ ratio('reopened_tickets', 'reopenable_tickets') }} as reopen_rate,
        {{ wilson_low('reopened_tickets', 'reopenable_tickets') }} as reopen_rate_low,
        {{ wilson_high('reopened_tickets', 'reopenable_tickets') }} as reopen_rate_high,
        classed_tickets,
        complaints,
        {{ ratio('complaints', 'classed_tickets') }} as complaint_rate,
        {{ wilson_low('complaints', 'classed_tickets') }} as complaint_rate_low,
        {{ wilson_high('complaints', 'classed_tickets') }} as complaint_rate_high,
        orders,
        1e3 * {{ ratio('complaints', 'orders') }} as complaints_per_1000_orders,
        1e3 * {{ ratio(poisson_low('complaints'), 'orders') }} as complaints_per_1000_orders_low,
        1e3 * {{ ratio(poisson_high('complaints'), 'orders') }} as complaints_per_1000_orders_high,
        is_complete
    from joined_sums
)

{{ select_with_labels('final') }}
