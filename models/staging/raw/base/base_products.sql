{{ checked_rows('products', source('raw', 'products')) }}
