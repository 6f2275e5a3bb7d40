with

checked_rows as (
    select * from {{ ref('base_coupons') }}
),

final as (
    select
        coupon_id,
        campaign_id,
        customer_id,
        issued_at,
        expires_at,
        face_amount
    from checked_rows
    where row_status = 'accepted'
)

select * from final
