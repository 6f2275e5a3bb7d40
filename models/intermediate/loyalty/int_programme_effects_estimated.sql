with

differences as (
    select * from {{ ref('int_programme_differences_taken') }}
),

settings as (
    select minimum_pairs from {{ ref('programme_matching') }}
),

means as (
    select
        horizon_days,
        metric,
        count(*) as matched_pairs,
        avg(member_before) as member_value_before,
        avg(member_after) as member_value,
        avg(control_before) as matched_value_before,
        avg(control_after) as matched_value,
        avg(difference) as effect
    from differences
    group by horizon_days, metric
),

-- a customer may be the control of several members, whose differences then move together: Cameron and Miller (2015), section II
clusters as (
    select
        differences.horizon_days,
        differences.metric,
        differences.control_customer_id,
        sum(differences.difference - means.effect) as residual
    from differences
    inner join means on differences.horizon_days = means.horizon_days and differences.metric = means.metric
    group by differences.horizon_days, differences.metric, differences.control_customer_id
),

cluster_sums as (
    select
        horizon_days,
        metric,
        count(*) as control_customers,
        sum(residual * residual) as squared_residuals
    from clusters
    group by horizon_days, metric
),

final as (
    select
        means.horizon_days,
        means.metric,
        means.matched_pairs,
        cluster_sums.control_customers,
        means.member_value_before,
        means.member_value,
        means.matched_value_before,
        means.matched_value,
        means.effect,
        case
            when means.matched_pairs >= settings.minimum_pairs and cluster_sums.control_customers > 1
                then
                    sqrt(
                        cluster_sums.squared_residuals * cluster_sums.control_customers / (cluster_sums.control_customers - 1e0)
                    ) / means.matched_pairs
        end as standard_error
    from means
    inner join cluster_sums on means.horizon_days = cluster_sums.horizon_days and means.metric = cluster_sums.metric
    cross join settings
)

select * from final
