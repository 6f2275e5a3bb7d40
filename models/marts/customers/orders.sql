with

orders as (
    select * from {{ ref('int_orders_validated') }}
),

purchase_days as (
    select * from {{ ref('int_purchase_days_numbered') }}
),

final as (
    select
        orders.order_id,
        orders.customer_id,
        orders.ordered_at,
        orders.ordered_on,
        orders.status,
        orders.is_valid,
        orders.channel,
        orders.store_id,
        orders.coupon_id,
        orders.order_amount,
        orders.discount_amount,
        orders.refund_amount,
        orders.net_revenue,
        orders.margin_amount,
        purchase_days.purchase_number,
        purchase_days.days_since_previous_purchase
    from orders
    -- a purchase day is one row per customer and day, so an order meets at most one
    left join purchase_days
        on orders.customer_id = purchase_days.customer_id
        and orders.ordered_on = purchase_days.purchase_on
        and orders.is_valid
)

{{ select_with_labels('final') }}
