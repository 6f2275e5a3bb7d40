with

tickets as (
    select * from {{ ref('int_tickets_timed') }}
),

dimensions as (
    select * from {{ ref('int_ticket_dimensions_listed') }}
),

periods as (
    select * from {{ ref('int_ticket_periods_listed') }}
),

final as (
    select
        periods.period_grain,
        periods.period_start,
        periods.is_complete,
        dimensions.dimension,
        dimensions.dimension_value,
        count(*) as tickets,
        count(*) filter (where tickets.is_first_responded) as first_responded_tickets,
        count(*) filter (where tickets.is_resolved) as resolved_tickets,
        {% for measure in ['first_response', 'resolution'] -%}
        {{ median('tickets.' ~ measure ~ '_hours') }} as median_{{ measure }}_hours,
        percentile_cont(0.9) within group (order by tickets.{{ measure }}_hours) as p90_{{ measure }}_hours,
        count(tickets.is_within_{{ measure }}_target) as {{ measure }}_due_tickets,
        count(*) filter (where tickets.is_within_{{ measure }}_target) as {{ measure }}_within_tickets,
        {% endfor -%}
        -- what was never resolved cannot be opened again
        count(tickets.reopened_count) filter (where tickets.is_resolved or tickets.reopened_count > 0) as reopenable_tickets,
        count(*) filter (where tickets.reopened_count > 0) as reopened_tickets,
        count(tickets.is_complaint) as classed_tickets,
        count(*) filter (where tickets.is_complaint) as complaints
    from tickets
    -- a ticket has one row per dimension and a day one per grain, so each ticket counts once in each cell of both
    inner join dimensions on tickets.ticket_id = dimensions.ticket_id
    inner join periods on tickets.opened_on = periods.day_on
    group by
        periods.period_grain,
        periods.period_start,
        periods.is_complete,
        dimensions.dimension,
        dimensions.dimension_value
)

select * from final
