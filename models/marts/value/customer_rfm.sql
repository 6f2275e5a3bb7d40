with

scores as (
    select * from {{ ref('int_rfm_scored') }}
),

run_context as (
    select as_of_date, high_value_annual_amount, top_value_share from {{ ref('run_context') }}
),

-- a rank counts those who brought strictly more, so customers of the same amount are of top value together or not at all
ranked as (
    select
        scores.*,
        run_context.as_of_date,
        run_context.high_value_annual_amount,
        run_context.top_value_share,
        rank() over (order by scores.monetary desc nulls last) - 1 as better_in_monetary,
        count(*) over () as buyers
    from scores
    inner join run_context on scores.snapshot_on = run_context.as_of_date
),

final as (
    select
        customer_id,
        as_of_date,
        cast(recency_days as integer) as recency_days,
        frequency,
        monetary,
        r_score,
        f_score,
        m_score,
        rfm_segment,
        monetary >= high_value_annual_amount as is_high_value,
        monetary > 0 and better_in_monetary < top_value_share * buyers as is_top_value
    from ranked
)

{{ select_with_labels('final') }}
