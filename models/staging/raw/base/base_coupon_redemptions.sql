{{ checked_rows('coupon_redemptions', source('raw', 'coupon_redemptions'), references={'coupon_id': ref('stg_coupons')}) }}
