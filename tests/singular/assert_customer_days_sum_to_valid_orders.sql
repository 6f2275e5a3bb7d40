with valid_orders as (
    select
        count(*) as orders,
        coalesce(sum(net_revenue), 0) as net_revenue,
        coalesce(sum(margin_amount), 0) as margin_amount
    from {{ ref('orders') }}
    where is_valid
),

customer_days as (
    select
        coalesce(sum(orders), 0) as orders,
        coalesce(sum(net_revenue), 0) as net_revenue,
        coalesce(sum(margin_amount), 0) as margin_amount
    from {{ ref('int_customer_days_summed') }}
)

select
    valid_orders.orders,
    customer_days.orders as orders_of_days,
    valid_orders.net_revenue,
    customer_days.net_revenue as net_revenue_of_days
from valid_orders
cross join customer_days
where
    valid_orders.orders != customer_days.orders
    or valid_orders.net_revenue != customer_days.net_revenue
    or valid_orders.margin_amount != customer_days.margin_amount
