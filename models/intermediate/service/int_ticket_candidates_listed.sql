with

occasions as (
    select * from {{ ref('int_ticket_occasions_listed') }}
),

run_context as (
    select as_of_date, ticket_followup_days from {{ ref('run_context') }}
),

-- a ticket counts once the days after it have passed
ticketed as (
    select
        occasions.customer_id,
        occasions.purchase_on,
        occasions.mean_interval_days,
        occasions.ticket_kind,
        occasions.match_cell,
        occasions.lag_days,
        row_number() over (
            partition by occasions.ticket_kind, occasions.match_cell
            order by occasions.purchase_on asc nulls last, occasions.customer_id asc nulls last
        ) as place
    from occasions
    cross join run_context
    where
        occasions.ticket_kind is not null
        and {{ add_days('occasions.ticketed_on', 'run_context.ticket_followup_days') }} <= run_context.as_of_date
),

cells as (
    select
        ticket_kind,
        match_cell,
        count(*) as tickets_of_cell
    from ticketed
    group by ticket_kind, match_cell
),

placed_others as (
    select
        occasions.*,
        cells.ticket_kind as compared_kind,
        cells.tickets_of_cell,
        row_number() over (
            partition by cells.ticket_kind, occasions.match_cell
            order by occasions.purchase_on asc nulls last, occasions.customer_id asc nulls last
        ) as place
    from occasions
    -- one row per kind of ticket with which the purchase can be compared
    inner join cells on occasions.match_cell = cells.match_cell
),

-- the customer has not bought between the purchase and the ticket. Whoever is compared must not have either, nor have opened a ticket, for
-- as many days: those of the tickets of the cell, each in turn. What happens later may not be asked for, since who buys opens tickets.
others as (
    select
        others.customer_id,
        others.purchase_on,
        others.mean_interval_days,
        others.compared_kind as ticket_kind,
        others.match_cell,
        ticketed.lag_days
    from placed_others as others
    inner join ticketed
        on others.compared_kind = ticketed.ticket_kind
        and others.match_cell = ticketed.match_cell
        and mod(others.place - 1, others.tickets_of_cell) + 1 = ticketed.place
    cross join run_context
    where
        {{ add_days('others.purchase_on', 'ticketed.lag_days + run_context.ticket_followup_days') }} <= run_context.as_of_date
        and (
            others.next_purchase_on is null
            or {{ day_diff('others.purchase_on', 'others.next_purchase_on') }} > ticketed.lag_days
        )
        and (others.ticketed_on is null or {{ day_diff('others.purchase_on', 'others.ticketed_on') }} > ticketed.lag_days)
),

final as (
    select
        ticket_kind,
        match_cell,
        lag_days,
        customer_id,
        purchase_on,
        mean_interval_days,
        true as is_ticketed
    from ticketed
    union all
    select
        ticket_kind,
        match_cell,
        lag_days,
        customer_id,
        purchase_on,
        mean_interval_days,
        false as is_ticketed
    from others
)

select * from final
