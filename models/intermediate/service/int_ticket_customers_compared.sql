with

occasions as (
    select * from {{ ref('int_ticket_occasions_listed') }}
),

purchase_days as (
    select customer_id, purchase_on, net_revenue from {{ ref('int_customer_days_summed') }}
),

first_tickets as (
    select * from {{ ref('int_first_tickets_listed') }}
),

run_context as (
    select
        as_of_date,
        ticket_followup_days,
        {{ add_days('as_of_date', '-ticket_followup_days') }} as followed_from
    from {{ ref('run_context') }}
),

-- everybody who has bought: from the day of the ticket, or without one by then from the last day that has been followed
customers as (
    select
        occasions.customer_id,
        occasions.ticket_kind,
        occasions.ticketed_on as day_on
    from occasions
    inner join run_context on occasions.ticketed_on <= run_context.followed_from
    where occasions.ticket_kind is not null
    union all
    select
        purchase_days.customer_id,
        'none' as ticket_kind,
        run_context.followed_from as day_on
    from purchase_days
    inner join run_context on purchase_days.purchase_on <= run_context.followed_from
    left join first_tickets on purchase_days.customer_id = first_tickets.customer_id
    where first_tickets.ticketed_on is null or first_tickets.ticketed_on > run_context.followed_from
    group by purchase_days.customer_id, run_context.followed_from
),

followed_customers as (
    select
        customers.ticket_kind,
        customers.customer_id,
        count(purchase_days.purchase_on) as purchase_days,
        coalesce(sum(purchase_days.net_revenue), 0) as net_revenue
    from customers
    cross join run_context
    left join purchase_days
        on customers.customer_id = purchase_days.customer_id
        and customers.day_on < purchase_days.purchase_on
        and {{ add_days('customers.day_on', 'run_context.ticket_followup_days') }} >= purchase_days.purchase_on
    group by customers.ticket_kind, customers.customer_id
),

final as (
    select
        ticket_kind,
        count(*) as customers,
        {{ ratio('count(*) filter (where purchase_days > 0)', 'count(*)') }} as repurchase,
        {{ ratio('sum(net_revenue)', 'count(*)') }} as net_revenue
    from followed_customers
    group by ticket_kind
)

select * from final
