{{ checked_rows('memberships', source('raw', 'memberships'), seeds={'tier': ref('loyalty_tiers')}) }}
