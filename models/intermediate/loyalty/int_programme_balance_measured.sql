with

occasions as (
    select * from {{ ref('int_programme_occasions_listed') }}
),

pairs as (
    select * from {{ ref('int_programme_pair_outcomes') }}
),

horizons as (
    select horizon_days from {{ ref('programme_horizons') }}
),

purchase_days as (
    select customer_id, purchase_on from {{ ref('int_customer_days_summed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

observed_occasions as (
    select
        horizons.horizon_days,
        occasions.is_enrolment as is_member,
        occasions.customer_id,
        {{ add_days('occasions.purchase_on', 'coalesce(occasions.lag_days, 0)') }} as enrolled_on
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
        observed_occasions.is_member,
        observed_occasions.customer_id,
        observed_occasions.enrolled_on,
        count(purchase_days.purchase_on) as purchase_days_before
    from observed_occasions
    left join purchase_days
        on observed_occasions.customer_id = purchase_days.customer_id
        and purchase_days.purchase_on > {{ add_days('observed_occasions.enrolled_on', '-observed_occasions.horizon_days') }}
        and purchase_days.purchase_on <= observed_occasions.enrolled_on
    group by
        observed_occasions.horizon_days,
        observed_occasions.is_member,
        observed_occasions.customer_id,
        observed_occasions.enrolled_on
),

pre_periods as (
    select horizon_days, false as is_matched, is_member, purchase_days_before from occasions_counted
    union all
    select horizon_days, true as is_matched, true as is_member, member_purchase_days_before from pairs
    union all
    select horizon_days, true as is_matched, false as is_member, control_purchase_days_before from pairs
),

measured as (
    select
        horizon_days,
        is_matched,
        count(*) filter (where is_member) as members,
        avg(case when is_member then cast(purchase_days_before as double) end) as member_mean,
        avg(case when not is_member then cast(purchase_days_before as double) end) as control_mean,
        var_samp(case when is_member then cast(purchase_days_before as double) end) as member_variance,
        var_samp(case when not is_member then cast(purchase_days_before as double) end) as control_variance
    from pre_periods
    group by horizon_days, is_matched
),

final as (
    select
        horizon_days,
        is_matched,
        members,
        member_mean,
        control_mean,
        member_variance,
        control_variance,
        {{ ratio('member_mean - control_mean', 'sqrt((member_variance + control_variance) / 2e0)') }} as standardised_difference
    from measured
)

select * from final
