with

scores as (
    select month_start, customer_id, rfm_segment from {{ ref('int_rfm_scored') }}
),

months as (
    select month_start, next_month_start, is_first, is_complete from {{ ref('int_months_listed') }}
),

-- every score twice: as what the customer is in its month, and as what the customer was before the next
moves as (
    select
        month_start,
        customer_id,
        cast(null as {{ dbt.type_string() }}) as from_segment,
        rfm_segment as to_segment
    from scores

    union all

    select
        months.next_month_start as month_start,
        scores.customer_id,
        scores.rfm_segment as from_segment,
        cast(null as {{ dbt.type_string() }}) as to_segment
    from scores
    inner join months on scores.month_start = months.month_start
),

customer_moves as (
    select
        month_start,
        customer_id,
        coalesce(max(from_segment), 'none') as from_segment,
        coalesce(max(to_segment), 'none') as to_segment
    from moves
    group by month_start, customer_id
),

final as (
    select
        customer_moves.month_start as month,
        customer_moves.from_segment,
        customer_moves.to_segment,
        count(*) as customers,
        months.is_complete
    from customer_moves
    -- the month after the last is no month of the data
    inner join months on customer_moves.month_start = months.month_start
    group by customer_moves.month_start, customer_moves.from_segment, customer_moves.to_segment, months.is_complete
)

{{ select_with_labels('final') }}
