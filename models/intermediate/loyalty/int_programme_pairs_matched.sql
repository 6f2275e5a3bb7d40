with

candidates as (
    select * from {{ ref('int_programme_candidates_listed') }}
),

pairs as (
    {{
        nearest_pairs(
            'candidates',
            strata=['match_cell', 'lag_days'],
            is_treated='is_member',
            tie_breakers=['mean_net_revenue']
        )
    }}
),

final as (
    select
        treated_customer_id as member_customer_id,
        control_customer_id,
        match_cell,
        lag_days,
        {{ add_days('treated_purchase_on', 'lag_days') }} as member_enrolled_on,
        {{ add_days('control_purchase_on', 'lag_days') }} as control_enrolled_on
    from pairs
)

select * from final
