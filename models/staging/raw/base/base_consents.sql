{{ checked_rows('consents', source('raw', 'consents')) }}
