with

orders as (
    select * from {{ ref('stg_orders') }}
),

aliases as (
    select * from {{ ref('int_customer_aliases_listed') }}
),

run_context as (
    select as_of_date, business_timezone, default_margin_rate, free_orders_are_purchases from {{ ref('run_context') }}
),

dated_orders as (
    select
        orders.order_id,
        coalesce(aliases.customer_id, orders.customer_id) as customer_id,
        orders.ordered_at,
        {{ to_local_time('orders.ordered_at', 'run_context.business_timezone') }} as ordered_at_local,
        {{ business_day('orders.ordered_at', 'run_context.business_timezone') }} as ordered_on,
        orders.status,
        orders.channel,
        orders.store_id,
        orders.coupon_id,
        orders.order_amount,
        coalesce(orders.discount_amount, 0) as discount_amount,
        coalesce(orders.shipping_amount, 0) + coalesce(orders.tax_amount, 0) as shipping_and_tax_amount,
        orders.cost_amount,
        orders.refund_amount,
        {{ business_day('orders.refunded_at', 'run_context.business_timezone') }} as refunded_on,
        run_context.as_of_date,
        run_context.default_margin_rate,
        run_context.free_orders_are_purchases
    from orders
    cross join run_context
    left join aliases on orders.customer_id = aliases.alias_id
),

known_orders as (
    select
        *,
        -- a refund without a date is taken as paid back at once: leaving it out would overstate revenue
        case
            when refunded_on is null or refunded_on <= as_of_date then coalesce(refund_amount, 0)
            else 0
        end as known_refund_amount
    from dated_orders
    where ordered_on <= as_of_date
),

judged_orders as (
    select
        *,
        order_amount > 0 and known_refund_amount >= order_amount as is_fully_refunded,
        -- what went back is not bought, though its shipping was paid; without a refund nobody knows what went back
        status = 'returned' and known_refund_amount > 0 and order_amount - known_refund_amount <= shipping_and_tax_amount
            as is_returned_in_full
    from known_orders
),

final as (
    select
        order_id,
        customer_id,
        ordered_at,
        ordered_at_local,
        ordered_on,
        status,
        status != 'cancelled'
        and not is_fully_refunded
        and not is_returned_in_full
        and (order_amount > 0 or free_orders_are_purchases) as is_valid,
        channel,
        store_id,
        coupon_id,
        {{ money('order_amount') }} as order_amount,
        {{ money('discount_amount') }} as discount_amount,
        {{ money('known_refund_amount') }} as refund_amount,
        {{ money('order_amount - known_refund_amount') }} as net_revenue,
        case
            when cost_amount is not null then {{ money('order_amount - known_refund_amount - cost_amount') }}
            else {{ money(product('order_amount - known_refund_amount', 'default_margin_rate')) }}
        end as margin_amount
    from judged_orders
)

select * from final
