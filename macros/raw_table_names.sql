{#-
    The tables of the raw contract. A model that reads all of them needs their names before dbt has parsed the contract.
    From models/staging/raw/raw.yml: python -m tools.staging_models
-#}
{% macro raw_table_names() %}
    {{ return([
        'customers',
        'consents',
        'erasure_requests',
        'products',
        'orders',
        'order_items',
        'memberships',
        'points_transactions',
        'campaigns',
        'campaign_members',
        'campaign_events',
        'coupons',
        'coupon_redemptions',
        'survey_invitations',
        'survey_responses',
        'tickets',
        'web_events',
        'social_mentions',
        'customer_identities',
    ]) }}
{% endmacro %}
