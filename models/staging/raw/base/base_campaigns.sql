{{ checked_rows('campaigns', source('raw', 'campaigns')) }}
