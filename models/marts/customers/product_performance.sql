with

order_lines as (
    select * from {{ ref('int_order_lines_valued') }}
    where is_valid
),

products as (
    select * from {{ ref('stg_products') }}
),

run_context as (
    select default_margin_rate from {{ ref('run_context') }}
),

customer_products as (
    select
        order_lines.product_id,
        order_lines.customer_id,
        count(distinct order_lines.ordered_on) as purchase_days,
        count(distinct order_lines.order_id) as orders,
        sum(order_lines.quantity) as quantity,
        sum(order_lines.line_amount) as line_amount,
        sum(order_lines.discount_amount) as discount_amount,
        sum(
            case
                when order_lines.unit_cost is not null
                    then order_lines.line_amount - {{ product('order_lines.unit_cost', 'order_lines.quantity') }}
                else {{ product('order_lines.line_amount', 'run_context.default_margin_rate') }}
            end
        ) as margin_amount,
        min(order_lines.ordered_on) as first_sold_on,
        max(order_lines.ordered_on) as last_sold_on
    from order_lines
    cross join run_context
    group by order_lines.product_id, order_lines.customer_id
),

product_totals as (
    select
        product_id,
        cast(sum(orders) as bigint) as orders,
        count(*) as customers,
        count(*) filter (where purchase_days >= 2) as repeat_customers,
        sum(quantity) as quantity,
        sum(line_amount) as line_amount,
        sum(discount_amount) as discount_amount,
        sum(margin_amount) as margin_amount,
        min(first_sold_on) as first_sold_on,
        max(last_sold_on) as last_sold_on
    from customer_products
    group by product_id
),

final as (
    select
        -- a product that was never sold and one that only the order lines know are both here
        coalesce(products.product_id, product_totals.product_id) as product_id,
        products.product_name,
        products.category,
        products.subcategory,
        products.brand,
        coalesce(product_totals.orders, 0) as orders,
        coalesce(product_totals.customers, 0) as customers,
        coalesce(product_totals.repeat_customers, 0) as repeat_customers,
        {{ ratio('product_totals.repeat_customers', 'product_totals.customers') }} as repurchase_rate,
        {{ wilson_low('product_totals.repeat_customers', 'product_totals.customers') }} as repurchase_rate_low,
        {{ wilson_high('product_totals.repeat_customers', 'product_totals.customers') }} as repurchase_rate_high,
        {{ total('coalesce(product_totals.quantity, 0)') }} as quantity,
        {{ total('coalesce(product_totals.line_amount, 0)') }} as line_amount,
        {{ total('coalesce(product_totals.discount_amount, 0)') }} as discount_amount,
        {{ total('coalesce(product_totals.margin_amount, 0)') }} as margin_amount,
        product_totals.first_sold_on,
        product_totals.last_sold_on
    from products
    full outer join product_totals on products.product_id = product_totals.product_id
)

select * from final
