with

occasions as (
    select * from {{ ref('int_programme_occasions_listed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

members as (
    select match_cell, lag_days, customer_id, purchase_on, mean_net_revenue from occasions
    where is_enrolment
),

-- everybody who had not enrolled before the purchase; controls_with_lags gives a lag of its own
others as (
    select match_cell, customer_id, purchase_on, next_purchase_on, enrolled_on, mean_net_revenue from occasions
),

others_with_lags as (
    {{ controls_with_lags('members', 'others', cell=['match_cell']) }}
),

-- the member has not bought between the purchase and the enrolment. Whoever is compared must not have either, nor have enrolled by
-- the end of the index day. What happens later may not be asked for: customers enrol when they buy, so who never enrols has stopped buying.
controls as (
    select others_with_lags.*
    from others_with_lags
    cross join run_context
    where
        others_with_lags.index_on <= run_context.as_of_date
        and (others_with_lags.next_purchase_on is null or others_with_lags.next_purchase_on > others_with_lags.index_on)
        and (others_with_lags.enrolled_on is null or others_with_lags.enrolled_on > others_with_lags.index_on)
),

-- the placebo: customers of the risk set, by a hash of their id, of whom one half is treated as if it had enrolled
final as (
    select
        false as is_placebo,
        match_cell,
        lag_days,
        customer_id,
        purchase_on,
        mean_net_revenue,
        true as is_member
    from members
    union all
    select
        false as is_placebo,
        match_cell,
        lag_days,
        customer_id,
        purchase_on,
        mean_net_revenue,
        false as is_member
    from controls
    union all
    select
        true as is_placebo,
        match_cell,
        lag_days,
        customer_id,
        purchase_on,
        mean_net_revenue,
        {{ in_hashed_half('customer_id', 'placebo') }} as is_member
    from controls
)

select * from final
