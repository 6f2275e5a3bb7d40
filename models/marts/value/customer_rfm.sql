with

scores as (
    select * from {{ ref('int_rfm_scored') }}
),

run_context as (
    select as_of_date, high_value_annual_amount from {{ ref('run_context') }}
),

final as (
    select
        scores.customer_id,
        run_context.as_of_date,
        cast(scores.recency_days as integer) as recency_days,
        scores.frequency,
        scores.monetary,
        scores.r_score,
        scores.f_score,
        scores.m_score,
        scores.rfm_segment,
        scores.monetary >= run_context.high_value_annual_amount as is_high_value
    from scores
    inner join run_context on scores.snapshot_on = run_context.as_of_date
)

{{ select_with_labels('final') }}
