with

valid_orders as (
    select * from {{ ref('int_orders_validated') }}
    where is_valid
),

final as (
    select
        customer_id,
        ordered_on as purchase_on,
        count(*) as orders,
        {{ total('sum(net_revenue)') }} as net_revenue,
        {{ total('sum(margin_amount)') }} as margin_amount,
        {{ total('sum(discount_amount)') }} as discount_amount
    from valid_orders
    group by customer_id, ordered_on
)

select * from final
