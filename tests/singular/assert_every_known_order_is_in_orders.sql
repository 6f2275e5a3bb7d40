with accepted as (
    select count(*) as orders, coalesce(sum(stg_orders.order_amount), 0) as order_amount
    from {{ ref('stg_orders') }} as stg_orders
    cross join {{ ref('run_context') }} as run_context
    where {{ business_day('stg_orders.ordered_at', 'run_context.business_timezone') }} <= run_context.as_of_date
),

published as (
    select count(*) as orders, coalesce(sum(order_amount), 0) as order_amount from {{ ref('orders') }}
)

select
    accepted.orders as accepted_orders,
    published.orders as published_orders,
    accepted.order_amount as accepted_amount,
    published.order_amount as published_amount
from accepted
cross join published
where accepted.orders != published.orders or accepted.order_amount != published.order_amount
