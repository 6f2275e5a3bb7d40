with

valid_orders as (
    select * from {{ ref('int_orders_validated') }}
    where is_valid
),

order_lines as (
    select * from {{ ref('int_order_lines_valued') }}
),

products as (
    select product_id, category from {{ ref('stg_products') }}
    where category is not null
),

numbered_orders as (
    select
        customer_id,
        order_id,
        ordered_on,
        channel,
        store_id,
        row_number() over (
            partition by customer_id
            order by ordered_at asc nulls last, order_id asc nulls last
        ) as order_number
    from valid_orders
),

first_orders as (
    select * from numbered_orders
    where order_number = 1
),

category_amounts as (
    select
        first_orders.order_id,
        products.category,
        sum(order_lines.line_amount) as amount,
        min(order_lines.line_number) as first_line_number
    from first_orders
    inner join order_lines on first_orders.order_id = order_lines.order_id
    -- a line of a product without a category says nothing about the category
    inner join products on order_lines.product_id = products.product_id
    group by first_orders.order_id, products.category
),

ranked_categories as (
    select
        order_id,
        category,
        -- no two categories of an order have the same first line
        row_number() over (
            partition by order_id
            order by amount desc nulls last, first_line_number asc nulls last
        ) as category_rank
    from category_amounts
),

final as (
    select
        first_orders.customer_id,
        first_orders.ordered_on as first_purchase_on,
        first_orders.order_id as first_order_id,
        first_orders.channel as first_channel,
        first_orders.store_id as first_store_id,
        ranked_categories.category as first_category
    from first_orders
    -- at most one category is the first
    left join ranked_categories
        on first_orders.order_id = ranked_categories.order_id
        and ranked_categories.category_rank = 1
)

select * from final
