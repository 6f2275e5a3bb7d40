with lines as (
    select coalesce(sum(quantity), 0) as quantity, coalesce(sum(line_amount), 0) as line_amount
    from {{ ref('order_items') }}
    where is_valid
),

products as (
    select coalesce(sum(quantity), 0) as quantity, coalesce(sum(line_amount), 0) as line_amount
    from {{ ref('product_performance') }}
)

select
    lines.quantity,
    products.quantity as quantity_of_products,
    lines.line_amount,
    products.line_amount as line_amount_of_products
from lines
cross join products
where lines.quantity != products.quantity or lines.line_amount != products.line_amount
