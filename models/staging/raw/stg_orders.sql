with

checked_rows as (
    select * from {{ ref('base_orders') }}
),

final as (
    select
        order_id,
        customer_id,
        ordered_at,
        status,
        channel,
        store_id,
        order_amount,
        discount_amount,
        shipping_amount,
        tax_amount,
        cost_amount,
        refund_amount,
        refunded_at,
        coupon_id,
        updated_at
    from checked_rows
    where row_status = 'accepted'
)

select * from final
