with

run_parameters as (
    select * from {{ ref('stg_run_parameters') }}
),

latest_order as (
    select max(ordered_at) as event_at from {{ ref('stg_orders') }}
),

-- only asked where there is no order at all; a campaign is a plan and may start in the future, so it is no event
other_events as (
    {% for model, column in [
        ('stg_customers', 'registered_at'),
        ('stg_consents', 'recorded_at'),
        ('stg_erasure_requests', 'requested_at'),
        ('stg_memberships', 'updated_at'),
        ('stg_points_transactions', 'occurred_at'),
        ('stg_campaign_members', 'assigned_at'),
        ('stg_campaign_events', 'occurred_at'),
        ('stg_coupons', 'issued_at'),
        ('stg_coupon_redemptions', 'redeemed_at'),
        ('stg_survey_invitations', 'sent_at'),
        ('stg_survey_responses', 'responded_at'),
        ('stg_tickets', 'opened_at'),
        ('stg_web_events', 'occurred_at'),
        ('stg_social_mentions', 'posted_at'),
    ] -%}
    select max({{ column }}) as event_at from {{ ref(model) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

latest_event as (
    select max(event_at) as event_at from other_events
),

settings as (
    select
        run_id,
        started_at,
        requested_as_of_date,
        yesterday,
        company_key,
        coalesce(company_name, '{{ var("company_name") }}') as company_name,
        coalesce(reporting_currency, '{{ var("reporting_currency") }}') as reporting_currency,
        coalesce(business_timezone, '{{ var("business_timezone") }}') as business_timezone,
        coalesce(btyd_model, '{{ var("btyd_model") }}') as btyd_model,
        {% for name, type in [
            ('default_margin_rate', 'decimal(9, 6)'),
            ('high_value_annual_amount', 'decimal(18, 4)'),
            ('cadence_prior_intervals', 'double'),
            ('active_days', 'integer'),
            ('new_customer_days', 'integer'),
            ('reactivated_customer_days', 'integer'),
            ('lapsed_days', 'integer'),
            ('loyal_purchase_days', 'integer'),
            ('survey_followup_days', 'integer'),
            ('ticket_followup_days', 'integer'),
            ('point_value', 'decimal(18, 6)'),
            ('points_usage_target', 'decimal(9, 6)'),
            ('annual_discount_rate', 'double'),
        ] %}
        cast(coalesce({{ name }}, {{ var(name) }}) as {{ type }}) as {{ name }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from run_parameters
),

final as (
    select
        settings.run_id,
        settings.started_at,
        coalesce(
            settings.requested_as_of_date,
            {{ business_day('latest_order.event_at', 'settings.business_timezone') }},
            {{ business_day('latest_event.event_at', 'settings.business_timezone') }},
            settings.yesterday
        ) as as_of_date,
        settings.company_key,
        settings.company_name,
        settings.reporting_currency,
        settings.business_timezone,
        settings.default_margin_rate,
        settings.high_value_annual_amount,
        settings.cadence_prior_intervals,
        settings.active_days,
        settings.new_customer_days,
        settings.reactivated_customer_days,
        settings.lapsed_days,
        settings.loyal_purchase_days,
        settings.survey_followup_days,
        settings.ticket_followup_days,
        settings.point_value,
        settings.points_usage_target,
        settings.btyd_model,
        settings.annual_discount_rate
    from settings
    cross join latest_order
    cross join latest_event
)

select * from final
