with

differences as (
    select * from {{ ref('int_programme_differences_taken') }}
),

settings as (
    select minimum_pairs from {{ ref('programme_matching_settings') }}
),

-- a customer may be the control of several members and a member later, and the differences of these pairs move together
estimates as (
    {{
        clustered_effects(
            'differences',
            'settings',
            groups=['comparison', 'horizon_days', 'metric'],
            values=['member_prior', 'control_prior', 'member_before', 'member_after', 'control_before', 'control_after'],
            treated='member_customer_id',
            control='control_customer_id',
            weight='weight'
        )
    }}
),

final as (
    select
        comparison,
        horizon_days,
        metric,
        matched_pairs,
        effective_pairs,
        clusters as control_customers,
        member_before as member_value_before,
        member_after as member_value,
        control_before as matched_value_before,
        control_after as matched_value,
        member_prior - control_prior as balance_before,
        effect,
        standard_error,
        unreliable_reason
    from estimates
)

select * from final
