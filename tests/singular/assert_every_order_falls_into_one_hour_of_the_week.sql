with hours as (
    select sum(orders) as orders, max(total_orders) as total_orders, count(*) as hours
    from {{ ref('purchase_times') }}
),

valid_orders as (
    select count(*) as orders from {{ ref('orders') }}
    where is_valid
)

select hours.orders, hours.total_orders, hours.hours, valid_orders.orders as valid_orders
from hours
cross join valid_orders
where hours.orders != valid_orders.orders or hours.total_orders != valid_orders.orders or hours.hours != 168
