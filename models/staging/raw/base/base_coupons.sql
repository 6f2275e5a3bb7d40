{{ checked_rows('coupons', source('raw', 'coupons')) }}
