{{ checked_rows('orders', source('raw', 'orders')) }}
