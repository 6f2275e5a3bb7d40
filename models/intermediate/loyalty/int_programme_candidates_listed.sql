with

occasions as (
    select * from {{ ref('int_programme_occasions_listed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

members as (
    select match_cell, lag_days, customer_id, purchase_on, mean_net_revenue from occasions
    where is_member
),

others as (
    select match_cell, customer_id, purchase_on, next_purchase_on, mean_net_revenue from occasions
    where not is_member
),

others_with_lags as (
    {{ controls_with_lags('members', 'others', cell=['match_cell']) }}
),

-- the member has not bought between the purchase and the enrolment, and its enrolment is known
controls as (
    select others_with_lags.*
    from others_with_lags
    cross join run_context
    where
        others_with_lags.index_on <= run_context.as_of_date
        and (others_with_lags.next_purchase_on is null or others_with_lags.next_purchase_on > others_with_lags.index_on)
),

final as (
    select
        match_cell,
        lag_days,
        customer_id,
        purchase_on,
        mean_net_revenue,
        true as is_member
    from members
    union all
    select
        match_cell,
        lag_days,
        customer_id,
        purchase_on,
        mean_net_revenue,
        false as is_member
    from controls
)

select * from final
