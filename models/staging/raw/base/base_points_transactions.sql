{{ checked_rows('points_transactions', source('raw', 'points_transactions'), references={'member_id': ref('stg_memberships')}) }}
