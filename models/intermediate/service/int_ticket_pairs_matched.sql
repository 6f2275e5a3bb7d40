with

candidates as (
    select * from {{ ref('int_ticket_candidates_listed') }}
),

pairs as (
    {{
        nearest_pairs(
            'candidates',
            strata=['ticket_kind', 'match_cell', 'lag_days'],
            is_treated='is_ticketed',
            tie_breakers=['mean_interval_days']
        )
    }}
),

final as (
    select
        ticket_kind,
        treated_customer_id as customer_id,
        control_customer_id as matched_customer_id,
        match_cell,
        lag_days,
        {{ add_days('treated_purchase_on', 'lag_days') }} as ticketed_on,
        {{ add_days('control_purchase_on', 'lag_days') }} as matched_on
    from pairs
    -- nobody is compared with an earlier purchase of the same customer
    where treated_customer_id != control_customer_id
)

select * from final
