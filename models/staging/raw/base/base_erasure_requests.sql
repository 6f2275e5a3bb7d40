{{ checked_rows('erasure_requests', source('raw', 'erasure_requests')) }}
