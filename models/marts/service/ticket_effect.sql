with

pairs as (
    select * from {{ ref('int_ticket_pairs_followed') }}
),

customers_compared as (
    select * from {{ ref('int_ticket_customers_compared') }}
),

settings as (
    select minimum_pairs from {{ ref('ticket_matching') }}
),

run_context as (
    select ticket_followup_days from {{ ref('run_context') }}
),

metrics as (
    {% for metric in ['repurchase', 'net_revenue'] -%}
    select
        ticket_kind,
        '{{ metric }}' as metric,
        matched_customer_id,
        cast({{ metric }} as double) as ticket_value,
        cast(matched_{{ metric }} as double) as matched_value
    from pairs
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

means as (
    select
        ticket_kind,
        metric,
        count(*) as matched_pairs,
        avg(ticket_value) as ticket_value,
        avg(matched_value) as matched_value,
        avg(ticket_value - matched_value) as effect
    from metrics
    group by ticket_kind, metric
),

-- one customer may be compared with several, whose differences then move together: Cameron and Miller (2015), section II
clusters as (
    select
        metrics.ticket_kind,
        metrics.metric,
        metrics.matched_customer_id,
        sum(metrics.ticket_value - metrics.matched_value - means.effect) as residual
    from metrics
    inner join means on metrics.ticket_kind = means.ticket_kind and metrics.metric = means.metric
    group by metrics.ticket_kind, metrics.metric, metrics.matched_customer_id
),

cluster_sums as (
    select
        ticket_kind,
        metric,
        count(*) as matched_customers,
        sum(residual * residual) as squared_residuals
    from clusters
    group by ticket_kind, metric
),

-- nothing is stated of too few pairs, and no interval where all differ alike: it would have no width
estimates as (
    select
        means.ticket_kind,
        means.metric,
        means.matched_pairs,
        cluster_sums.matched_customers,
        case when means.matched_pairs >= settings.minimum_pairs then means.ticket_value end as ticket_value,
        case when means.matched_pairs >= settings.minimum_pairs then means.matched_value end as matched_value,
        case when means.matched_pairs >= settings.minimum_pairs then means.effect end as effect,
        case
            when cluster_sums.matched_customers > 1 and cluster_sums.squared_residuals > 0e0
                then
                    {{ z_95() }} * sqrt(
                        cluster_sums.squared_residuals * cluster_sums.matched_customers / (cluster_sums.matched_customers - 1e0)
                    ) / means.matched_pairs
        end as margin
    from means
    inner join cluster_sums on means.ticket_kind = cluster_sums.ticket_kind and means.metric = cluster_sums.metric
    cross join settings
),

naive as (
    {% for metric in ['repurchase', 'net_revenue'] -%}
    select
        ticketed.ticket_kind,
        '{{ metric }}' as metric,
        ticketed.customers as ticket_customers,
        ticketed.{{ metric }} as naive_ticket_value,
        others.{{ metric }} as naive_other_value
    from customers_compared as ticketed
    -- at most one row
    left join customers_compared as others on others.ticket_kind = 'none'
    where ticketed.ticket_kind != 'none'
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

final as (
    select
        naive.ticket_kind,
        naive.metric,
        run_context.ticket_followup_days as followup_days,
        naive.ticket_customers,
        coalesce(estimates.matched_pairs, 0) as matched_pairs,
        coalesce(estimates.matched_customers, 0) as matched_customers,
        {{ ratio('coalesce(estimates.matched_pairs, 0)', 'naive.ticket_customers') }} as match_rate,
        estimates.ticket_value,
        estimates.matched_value,
        estimates.effect,
        estimates.effect - estimates.margin as effect_low,
        estimates.effect + estimates.margin as effect_high,
        naive.naive_ticket_value,
        naive.naive_other_value,
        naive.naive_ticket_value - naive.naive_other_value as naive_effect
    from naive
    cross join run_context
    left join estimates on naive.ticket_kind = estimates.ticket_kind and naive.metric = estimates.metric
)

{{ select_with_labels('final') }}
