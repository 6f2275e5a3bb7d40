with

run_parameters as (
    select * from {{ ref('stg_run_parameters') }}
),

-- a campaign is a plan and may start in the future, so it is no event
events as (
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
    select max({{ column }}) as event_at
    from {{ ref(model) }}
    cross join run_parameters
    where {{ is_by_business_day(column, 'run_parameters.started_at', 'run_parameters.business_timezone') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

final as (
    select max(event_at) as event_at from events
)

select * from final
