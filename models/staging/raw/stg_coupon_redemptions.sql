with

checked_rows as (
    select * from {{ ref('base_coupon_redemptions') }}
),

final as (
    select
        coupon_redemption_id,
        coupon_id,
        customer_id,
        order_id,
        redeemed_at,
        discount_amount
    from checked_rows
    where row_status = 'accepted'
)

select * from final
