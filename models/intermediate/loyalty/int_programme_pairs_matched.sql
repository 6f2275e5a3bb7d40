with

candidates as (
    select * from {{ ref('int_programme_candidates_listed') }}
),

enrolments as (
    select * from {{ ref('int_programme_enrolments_listed') }}
),

pairs as (
    {{
        nearest_pairs(
            'candidates',
            strata=['is_placebo', 'match_cell', 'lag_days'],
            is_treated='is_member',
            tie_breakers=['mean_net_revenue']
        )
    }}
),

final as (
    select
        pairs.is_placebo,
        pairs.treated_customer_id as member_customer_id,
        pairs.control_customer_id,
        pairs.match_cell,
        pairs.lag_days,
        {{ add_days('pairs.treated_purchase_on', 'pairs.lag_days') }} as member_index_on,
        {{ add_days('pairs.control_purchase_on', 'pairs.lag_days') }} as control_index_on,
        enrolments.enrolled_on as control_enrolled_on
    from pairs
    left join enrolments on pairs.control_customer_id = enrolments.customer_id
)

select * from final
