with

enrolments as (
    select * from {{ ref('int_programme_enrolments_listed') }}
),

estimates as (
    select * from {{ ref('int_programme_effects_estimated') }}
),

-- up to the index day, over as many days as the effect after it
balance as (
    select * from {{ ref('int_programme_balance_measured') }}
    where trait = 'purchase_days_before'
),

controls as (
    select
        horizon_days,
        avg(case when is_control_enrolled then 1e0 else 0e0 end) as controls_enrolled_rate
    from {{ ref('int_programme_pair_outcomes') }}
    where not is_placebo
    group by horizon_days
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
            when 'discount' then {{ ratio('groups.discount_amount', 'groups.customers') }}
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
        coalesce(balance.members, 0) as members,
        coalesce(estimates.matched_pairs, 0) as matched_pairs,
        coalesce(estimates.control_customers, 0) as control_customers,
        {{ ratio('coalesce(estimates.matched_pairs, 0)', 'balance.members') }} as match_rate,
        case when estimates.effect is not null then controls.controls_enrolled_rate end as controls_enrolled_rate,
        estimates.member_value_before,
        estimates.matched_value_before,
        estimates.member_value,
        estimates.matched_value,
        estimates.effect,
        {{ effect_low('estimates', "metrics.metric = 'churn'") }} as effect_low,
        {{ effect_high('estimates', "metrics.metric = 'churn'") }} as effect_high,
        weighted.effect as weighted_effect,
        {{ effect_low('weighted', "metrics.metric = 'churn'") }} as weighted_effect_low,
        {{ effect_high('weighted', "metrics.metric = 'churn'") }} as weighted_effect_high,
        weighted.effective_pairs,
        estimates.balance_before,
        placebo.effect as placebo_effect,
        {{ effect_low('placebo', "metrics.metric = 'churn'") }} as placebo_effect_low,
        {{ effect_high('placebo', "metrics.metric = 'churn'") }} as placebo_effect_high,
        naive.naive_member_value,
        naive.naive_non_member_value,
        naive.naive_member_value - naive.naive_non_member_value as naive_effect,
        balance.standardised_difference_unmatched as balance_unmatched,
        balance.standardised_difference_matched as balance_matched,
        estimates.standard_error is not null as is_reliable,
        {{ unreliable_effect_reason('estimates') }} as unreliable_reason
    from horizons
    cross join metrics
    cross join enrolled
    left join estimates
        on horizons.horizon_days = estimates.horizon_days
        and metrics.metric = estimates.metric
        and estimates.comparison = 'members'
    left join estimates as weighted
        on horizons.horizon_days = weighted.horizon_days
        and metrics.metric = weighted.metric
        and weighted.comparison = 'weighted'
    left join estimates as placebo
        on horizons.horizon_days = placebo.horizon_days
        and metrics.metric = placebo.metric
        and placebo.comparison = 'placebo'
    left join naive on horizons.horizon_days = naive.horizon_days and metrics.metric = naive.metric
    left join balance on horizons.horizon_days = balance.horizon_days
    left join controls on horizons.horizon_days = controls.horizon_days
    -- without a programme there is nothing to say of it
    where enrolled.enrolled_customers > 0
)

{{ select_with_labels('final') }}
