with

customer_days as (
    select * from {{ ref('int_customer_days_summed') }}
),

run_context as (
    select lapsed_days from {{ ref('run_context') }}
),

numbered_days as (
    select
        customer_id,
        purchase_on,
        orders,
        net_revenue,
        margin_amount,
        cast(row_number() over customer_days_in_order as bigint) as purchase_number,
        lag(purchase_on) over customer_days_in_order as previous_purchase_on,
        lead(purchase_on) over customer_days_in_order as next_purchase_on,
        min(purchase_on) over customer_history as first_purchase_on,
        sum(net_revenue) over customer_history as net_revenue_to_date
    from customer_days
    window customer_days_in_order as (
        partition by customer_id
        order by purchase_on asc nulls last
    ), customer_history as (
        partition by customer_id
        order by purchase_on asc nulls last
        rows between unbounded preceding and current row
    )
),

days_with_gaps as (
    select
        numbered_days.*,
        {{ day_diff('numbered_days.previous_purchase_on', 'numbered_days.purchase_on') }} as days_since_previous_purchase,
        run_context.lapsed_days
    from numbered_days
    cross join run_context
),

final as (
    select
        customer_id,
        purchase_on,
        purchase_number,
        first_purchase_on,
        previous_purchase_on,
        next_purchase_on,
        days_since_previous_purchase,
        -- the latest purchase so far that ended a lapse
        max(case when days_since_previous_purchase >= lapsed_days then purchase_on end) over (
            partition by customer_id
            order by purchase_on asc nulls last
            rows between unbounded preceding and current row
        ) as returned_on,
        orders,
        net_revenue,
        margin_amount,
        {{ total('net_revenue_to_date') }} as net_revenue_to_date
    from days_with_gaps
)

select * from final
