{{ checked_rows('customer_identities', source('raw', 'customer_identities')) }}
