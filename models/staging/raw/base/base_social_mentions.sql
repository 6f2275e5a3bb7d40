{{ checked_rows('social_mentions', source('raw', 'social_mentions')) }}
