{{ checked_rows('order_items', source('raw', 'order_items'), references={'order_id': ref('stg_orders')}) }}
