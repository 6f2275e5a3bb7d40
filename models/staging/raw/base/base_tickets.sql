{{ checked_rows('tickets', source('raw', 'tickets')) }}
