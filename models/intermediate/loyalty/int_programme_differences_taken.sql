with

pairs as (
    select * from {{ ref('int_programme_pair_outcomes') }}
),

weights as (
    select horizon_days, member_customer_id, weight from {{ ref('int_programme_controls_weighted') }}
),

metrics as (
    select metric from {{ ref('programme_metrics') }}
),

-- each metric as a number of each side. Whoever had bought by the index day is in the programme's reach, so nobody counts as churned
-- up to it; in the days before the purchase of that occasion some had not bought
pair_metrics as (
    select
        pairs.is_placebo,
        pairs.horizon_days,
        metrics.metric,
        pairs.member_customer_id,
        pairs.member_index_on,
        pairs.control_customer_id
        {%- for side in ['member', 'control'] %}{% for period in ['prior', 'before', 'after'] %},
        case metrics.metric
            when 'purchase_days' then cast(pairs.{{ side }}_purchase_days_{{ period }} as double)
            when 'net_revenue' then cast(pairs.{{ side }}_net_revenue_{{ period }} as double)
            when 'discount' then cast(pairs.{{ side }}_discount_amount_{{ period }} as double)
            when 'churn' then {{ '0e0' if period == 'before' else 'case when pairs.' ~ side ~ '_purchase_days_' ~ period ~ ' = 0 then 1e0 else 0e0 end' }}
        end as {{ side }}_{{ period }}
        {%- endfor %}{% endfor %}
    from pairs
    cross join metrics
),

differences as (
    select
        *,
        (member_after - member_before) - (control_after - control_before) as difference
    from pair_metrics
),

final as (
    select
        case when is_placebo then 'placebo' else 'members' end as comparison,
        horizon_days,
        metric,
        member_customer_id,
        member_index_on,
        control_customer_id,
        member_prior,
        control_prior,
        member_before,
        control_before,
        member_after,
        control_after,
        difference,
        1e0 as weight
    from differences
    union all
    -- controls that had not enrolled by the end of the horizon stand for those that had
    select
        'weighted' as comparison,
        differences.horizon_days,
        differences.metric,
        differences.member_customer_id,
        differences.member_index_on,
        differences.control_customer_id,
        differences.member_prior,
        differences.control_prior,
        differences.member_before,
        differences.control_before,
        differences.member_after,
        differences.control_after,
        differences.difference,
        weights.weight
    from differences
    inner join weights
        on differences.horizon_days = weights.horizon_days
        and differences.member_customer_id = weights.member_customer_id
    where not differences.is_placebo
)

select * from final
