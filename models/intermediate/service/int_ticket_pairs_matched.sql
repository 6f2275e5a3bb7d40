with

candidates as (
    select * from {{ ref('int_ticket_candidates_listed') }}
),

-- Walked through in the order of their days, a ticketed customer opens a bracket and another one closes it, or the other way round
-- where there is none to close. The two of a pair of brackets are neighbours, as near as they can all be at once.
walked_candidates as (
    select
        *,
        sum(case when is_ticketed then 1 else -1 end) over (
            partition by ticket_kind, match_cell, lag_days
            order by
                purchase_on asc nulls last,
                mean_interval_days asc nulls last,
                customer_id asc nulls last,
                is_ticketed asc nulls last
            rows between unbounded preceding and current row
        ) as level_after
    from candidates
),

levelled_candidates as (
    select
        *,
        case when is_ticketed then level_after else level_after + 1 end as bracket_level
    from walked_candidates
),

-- on one level the two kinds take turns
counted_candidates as (
    select
        *,
        row_number() over (
            partition by ticket_kind, match_cell, lag_days, bracket_level
            order by
                purchase_on asc nulls last,
                mean_interval_days asc nulls last,
                customer_id asc nulls last,
                is_ticketed asc nulls last
        ) as turn
    from levelled_candidates
),

pairs as (
    select
        ticket_kind,
        match_cell,
        lag_days,
        max(case when is_ticketed then customer_id end) as customer_id,
        max(case when is_ticketed then purchase_on end) as purchase_on,
        max(case when not is_ticketed then customer_id end) as matched_customer_id,
        max(case when not is_ticketed then purchase_on end) as matched_purchase_on
    from counted_candidates
    group by ticket_kind, match_cell, lag_days, bracket_level, floor((turn + 1) / 2)
    having count(*) = 2
),

final as (
    select
        ticket_kind,
        customer_id,
        matched_customer_id,
        match_cell,
        lag_days,
        {{ add_days('purchase_on', 'lag_days') }} as ticketed_on,
        {{ add_days('matched_purchase_on', 'lag_days') }} as matched_on
    from pairs
    -- nobody is compared with an earlier purchase of the same customer
    where customer_id != matched_customer_id
)

select * from final
