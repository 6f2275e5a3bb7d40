{{ checked_rows('customers', source('raw', 'customers')) }}
