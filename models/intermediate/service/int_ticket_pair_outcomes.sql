with

pairs as (
    select * from {{ ref('int_ticket_pairs_matched') }}
),

purchase_days as (
    select customer_id, purchase_on, net_revenue from {{ ref('int_customer_days_summed') }}
),

run_context as (
    select ticket_followup_days from {{ ref('run_context') }}
),

sides as (
    select ticket_kind, customer_id as pair_id, true as is_ticketed, customer_id, ticketed_on as day_on from pairs
    union all
    select ticket_kind, customer_id as pair_id, false as is_ticketed, matched_customer_id as customer_id, matched_on as day_on from pairs
),

-- a purchase on the day of the ticket may be what it is about
followed_sides as (
    select
        sides.ticket_kind,
        sides.pair_id,
        sides.is_ticketed,
        case when count(purchase_days.purchase_on) > 0 then 1e0 else 0e0 end as repurchase,
        coalesce(sum(purchase_days.net_revenue), 0) as net_revenue
    from sides
    cross join run_context
    left join purchase_days
        on sides.customer_id = purchase_days.customer_id
        and sides.day_on < purchase_days.purchase_on
        and {{ add_days('sides.day_on', 'run_context.ticket_followup_days') }} >= purchase_days.purchase_on
    group by sides.ticket_kind, sides.pair_id, sides.is_ticketed
),

final as (
    select
        pairs.ticket_kind,
        pairs.customer_id,
        pairs.matched_customer_id,
        ticketed.repurchase,
        others.repurchase as matched_repurchase,
        {{ total('ticketed.net_revenue') }} as net_revenue,
        {{ total('others.net_revenue') }} as matched_net_revenue
    from pairs
    -- a customer has one first ticket, so one row per pair on each side
    inner join followed_sides as ticketed
        on pairs.ticket_kind = ticketed.ticket_kind
        and pairs.customer_id = ticketed.pair_id
        and ticketed.is_ticketed
    inner join followed_sides as others
        on pairs.ticket_kind = others.ticket_kind
        and pairs.customer_id = others.pair_id
        and not others.is_ticketed
)

select * from final
