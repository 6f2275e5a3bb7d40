with

occasions as (
    select * from {{ ref('int_programme_occasions_listed') }}
),

pairs as (
    select * from {{ ref('int_programme_pair_outcomes') }}
    where not is_placebo
),

horizons as (
    select horizon_days from {{ ref('programme_horizons') }}
),

purchase_days as (
    select customer_id, purchase_on, discount_amount from {{ ref('int_customer_days_summed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

observed_occasions as (
    select
        horizons.horizon_days,
        occasions.*,
        {{ add_days('occasions.purchase_on', 'coalesce(occasions.lag_days, 0)') }} as index_on
    from occasions
    cross join horizons
    cross join run_context
    where
        {{ add_days('occasions.purchase_on', 'coalesce(occasions.lag_days, 0) + horizons.horizon_days') }}
        <= run_context.as_of_date
),

occasions_counted as (
    select
        observed_occasions.horizon_days,
        observed_occasions.customer_id,
        observed_occasions.purchase_on,
        count(purchase_days.purchase_on) as purchase_days_before,
        coalesce(sum(purchase_days.discount_amount), 0) as discount_before
    from observed_occasions
    left join purchase_days
        on observed_occasions.customer_id = purchase_days.customer_id
        and purchase_days.purchase_on > {{ add_days('observed_occasions.index_on', '-observed_occasions.horizon_days') }}
        and purchase_days.purchase_on <= observed_occasions.index_on
    group by observed_occasions.horizon_days, observed_occasions.customer_id, observed_occasions.purchase_on
),

final as (
    select
        observed_occasions.horizon_days,
        observed_occasions.customer_id,
        observed_occasions.purchase_on,
        case
            when not observed_occasions.is_enrolment then 'candidate'
            when pairs.member_customer_id is null then 'unmatched_member'
            else 'matched_member'
        end as side,
        observed_occasions.purchase_number,
        observed_occasions.tenure_days,
        observed_occasions.gap_days,
        observed_occasions.mean_net_revenue,
        occasions_counted.purchase_days_before,
        occasions_counted.discount_before
    from observed_occasions
    inner join occasions_counted
        on observed_occasions.horizon_days = occasions_counted.horizon_days
        and observed_occasions.customer_id = occasions_counted.customer_id
        and observed_occasions.purchase_on = occasions_counted.purchase_on
    -- a member is in one pair of a horizon
    left join pairs
        on observed_occasions.horizon_days = pairs.horizon_days
        and observed_occasions.customer_id = pairs.member_customer_id
    union all
    -- at the lag of the pair, so that it is counted up to the index day of the pair
    select
        pairs.horizon_days,
        occasions.customer_id,
        occasions.purchase_on,
        'matched_control' as side,
        occasions.purchase_number,
        occasions.tenure_days,
        occasions.gap_days,
        occasions.mean_net_revenue,
        pairs.control_purchase_days_before as purchase_days_before,
        pairs.control_discount_amount_before as discount_before
    from pairs
    inner join occasions
        on pairs.control_customer_id = occasions.customer_id
        and occasions.purchase_on = {{ add_days('pairs.control_index_on', '-pairs.lag_days') }}
)

select * from final
