with

snapshots as (
    select * from {{ ref('int_customer_snapshots_taken') }}
    where purchase_days_365d > 0
),

rfm_segments as (
    select * from {{ ref('rfm_segments') }}
),

measured as (
    select
        month_start,
        snapshot_on,
        customer_id,
        {{ day_diff('last_purchase_on', 'snapshot_on') }} as recency_days,
        purchase_days_365d as frequency,
        net_revenue_365d as monetary
    from snapshots
),

-- a rank counts the rows strictly before it, so ordered from worst to best it counts the customers who are strictly worse
ranked as (
    select
        *,
        rank() over (partition by snapshot_on order by recency_days desc nulls last) - 1 as worse_in_recency,
        rank() over (partition by snapshot_on order by frequency asc nulls last) - 1 as worse_in_frequency,
        rank() over (partition by snapshot_on order by monetary asc nulls last) - 1 as worse_in_monetary,
        count(*) over (partition by snapshot_on) as buyers
    from measured
),

scored as (
    select
        month_start,
        snapshot_on,
        customer_id,
        recency_days,
        frequency,
        monetary,
        {% for part, score in [('recency', 'r_score'), ('frequency', 'f_score'), ('monetary', 'm_score')] %}
        cast(least(5, 1 + floor(5e0 * worse_in_{{ part }} / buyers)) as integer) as {{ score }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from ranked
),

final as (
    select
        scored.month_start,
        scored.snapshot_on,
        scored.customer_id,
        scored.recency_days,
        scored.frequency,
        scored.monetary,
        scored.r_score,
        scored.f_score,
        scored.m_score,
        rfm_segments.rfm_segment
    from scored
    left join rfm_segments
        on scored.r_score = rfm_segments.r_score
        and scored.f_score = rfm_segments.f_score
        and scored.m_score = rfm_segments.m_score
)

select * from final
