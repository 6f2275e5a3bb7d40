with

pairs as (
    select * from {{ ref('int_programme_pair_outcomes') }}
),

metrics as (
    select metric from {{ ref('programme_metrics') }}
),

-- each metric as a number of each side, before and after. Whoever had bought by the enrolment is in the programme's reach, so
-- nobody counts as churned before
pair_metrics as (
    select
        pairs.horizon_days,
        metrics.metric,
        pairs.member_customer_id,
        pairs.control_customer_id,
        {% for side in ['member', 'control'] %}
        case metrics.metric
            when 'purchase_days' then cast(pairs.{{ side }}_purchase_days_before as double)
            when 'net_revenue' then cast(pairs.{{ side }}_net_revenue_before as double)
            when 'churn' then 0e0
        end as {{ side }}_before,
        case metrics.metric
            when 'purchase_days' then cast(pairs.{{ side }}_purchase_days_after as double)
            when 'net_revenue' then cast(pairs.{{ side }}_net_revenue_after as double)
            when 'churn' then case when pairs.{{ side }}_purchase_days_after = 0 then 1e0 else 0e0 end
        end as {{ side }}_after{% if not loop.last %},{% endif %}
        {% endfor %}
    from pairs
    cross join metrics
),

final as (
    select
        horizon_days,
        metric,
        member_customer_id,
        control_customer_id,
        member_before,
        member_after,
        control_before,
        control_after,
        (member_after - member_before) - (control_after - control_before) as difference
    from pair_metrics
)

select * from final
