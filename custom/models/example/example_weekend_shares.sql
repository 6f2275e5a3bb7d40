with

orders as (
    select
        customer_id,
        net_revenue,
        {{ iso_weekday('ordered_on') }} >= 6 as is_weekend
    from {{ ref('orders') }}
    where is_valid
),

counted as (
    select
        customer_id,
        count(*) as orders,
        sum(case when is_weekend then 1 else 0 end) as weekend_orders,
        sum(net_revenue) as net_revenue
    from orders
    group by customer_id
),

final as (
    select
        customer_id,
        orders,
        weekend_orders,
        {{ ratio('weekend_orders', 'orders') }} as weekend_share,
        net_revenue
    from counted
)

select * from final
