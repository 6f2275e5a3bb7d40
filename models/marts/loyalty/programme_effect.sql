with

enrolments as (
    select * from {{ ref('int_programme_enrolments_listed') }}
),

estimates as (
    select * from {{ ref('int_programme_effects_estimated') }}
),

balance as (
    select * from {{ ref('int_programme_balance_measured') }}
),

groups as (
    select * from {{ ref('int_programme_groups_compared') }}
),

horizons as (
    select horizon_days from {{ ref('programme_horizons') }}
),

metrics as (
    select metric from {{ ref('programme_metrics') }}
),

enrolled as (
    select count(*) as enrolled_customers from enrolments
),

group_means as (
    select
        groups.horizon_days,
        metrics.metric,
        groups.is_member,
        case metrics.metric
            when 'purchase_days' then {{ ratio('groups.purchase_days', 'groups.customers') }}
            when 'net_revenue' then {{ ratio('groups.net_revenue', 'groups.customers') }}
            when 'churn' then {{ ratio('groups.churned_customers', 'groups.customers') }}
        end as mean_value
    from groups
    cross join metrics
),

naive as (
    select
        horizon_days,
        metric,
        max(case when is_member then mean_value end) as naive_member_value,
        max(case when not is_member then mean_value end) as naive_non_member_value
    from group_means
    group by horizon_days, metric
),

final as (
    select
        horizons.horizon_days,
        metrics.metric,
        enrolled.enrolled_customers,
        coalesce(unmatched.members, 0) as members,
        coalesce(estimates.matched_pairs, 0) as matched_pairs,
        coalesce(estimates.control_customers, 0) as control_customers,
        {{ ratio('coalesce(estimates.matched_pairs, 0)', 'unmatched.members') }} as match_rate,
        estimates.member_value_before,
        estimates.matched_value_before,
        estimates.member_value,
        estimates.matched_value,
        estimates.effect,
        estimates.effect - {{ z_95() }} * estimates.standard_error as effect_low,
        estimates.effect + {{ z_95() }} * estimates.standard_error as effect_high,
        naive.naive_member_value,
        naive.naive_non_member_value,
        naive.naive_member_value - naive.naive_non_member_value as naive_effect,
        unmatched.standardised_difference as balance_unmatched,
        matched.standardised_difference as balance_matched,
        estimates.standard_error is not null as is_reliable,
        {{ unreliable_effect_reason('estimates') }} as unreliable_reason
    from horizons
    cross join metrics
    cross join enrolled
    left join estimates on horizons.horizon_days = estimates.horizon_days and metrics.metric = estimates.metric
    left join naive on horizons.horizon_days = naive.horizon_days and metrics.metric = naive.metric
    left join balance as unmatched on horizons.horizon_days = unmatched.horizon_days and not unmatched.is_matched
    left join balance as matched on horizons.horizon_days = matched.horizon_days and matched.is_matched
    -- without a programme there is nothing to say of it
    where enrolled.enrolled_customers > 0
)

{{ select_with_labels('final') }}
