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
        occasions.ticket_kind,
        occasions.match_cell,
        occasions.lag_days,
        occasions.customer_id,
        occasions.purchase_on,
        occasions.mean_interval_days
    from occasions
    cross join run_context
    where
        occasions.ticket_kind is not null
        and {{ add_days('occasions.ticketed_on', 'run_context.ticket_followup_days') }} <= run_context.as_of_date
),

kinds as (
    select ticket_kind
    from ticketed
    group by ticket_kind
),

-- a purchase may be compared with a ticket of each kind
others as (
    select
        kinds.ticket_kind,
        occasions.match_cell,
        occasions.customer_id,
        occasions.purchase_on,
        occasions.next_purchase_on,
        occasions.ticketed_on,
        occasions.mean_interval_days
    from occasions
    cross join kinds
),

others_with_lags as (
    {{ controls_with_lags('ticketed', 'others', cell=['ticket_kind', 'match_cell']) }}
),

-- the customer has not bought between the purchase and the ticket. Whoever is compared must not have either, nor have opened a ticket
-- by the index day. What happens later may not be asked for, since who buys opens tickets.
controls as (
    select others_with_lags.*
    from others_with_lags
    cross join run_context
    where
        {{ add_days('others_with_lags.index_on', 'run_context.ticket_followup_days') }} <= run_context.as_of_date
        and (others_with_lags.next_purchase_on is null or others_with_lags.next_purchase_on > others_with_lags.index_on)
        and (others_with_lags.ticketed_on is null or others_with_lags.ticketed_on > others_with_lags.index_on)
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
    from controls
)

select * from final
