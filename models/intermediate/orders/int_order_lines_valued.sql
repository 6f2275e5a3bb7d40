with

order_items as (
    select * from {{ ref('stg_order_items') }}
),

orders as (
    select * from {{ ref('int_orders_validated') }}
),

products as (
    select product_id, unit_cost from {{ ref('stg_products') }}
),

final as (
    select
        order_items.order_id,
        order_items.line_number,
        order_items.product_id,
        orders.customer_id,
        orders.ordered_on,
        orders.is_valid,
        order_items.quantity,
        {{ money('order_items.line_amount') }} as line_amount,
        {{ money('coalesce(order_items.discount_amount, 0)') }} as discount_amount,
        {{ money('coalesce(order_items.unit_cost, products.unit_cost)') }} as unit_cost
    from order_items
    -- lines of orders after the as-of date leave here
    inner join orders on order_items.order_id = orders.order_id
    left join products on order_items.product_id = products.product_id
)

select * from final
