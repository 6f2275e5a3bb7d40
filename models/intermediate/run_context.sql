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

final as (
    select
        run_parameters.run_id,
        run_parameters.started_at,
        coalesce(
            run_parameters.requested_as_of_date,
            {{ business_day('latest_order.event_at', 'run_parameters.business_timezone') }},
            {{ business_day('latest_event.event_at', 'run_parameters.business_timezone') }},
            run_parameters.yesterday
        ) as as_of_date,
        run_parameters.company_key,
        -- each setting of dbt_project.yml under its name
        {% for name in var('settings') %}
        run_parameters.{{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from run_parameters
    cross join latest_order
    cross join latest_event
)

select * from final
