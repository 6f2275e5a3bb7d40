with

stages as (
    select month_start, customer_id, lifecycle_stage from {{ ref('int_lifecycle_stages_assigned') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

-- a customer's row of the month before is the previous one: once known, a customer has a row in every month
moves as (
    select
        month_start,
        customer_id,
        coalesce(
            lag(lifecycle_stage) over (partition by customer_id order by month_start asc nulls last), 'none'
        ) as from_stage,
        lifecycle_stage as to_stage
    from stages
),

final as (
    select
        moves.month_start as month,
        moves.from_stage,
        moves.to_stage,
        count(*) as customers,
        {{ period_end('month', 'moves.month_start') }} <= run_context.as_of_date as is_complete
    from moves
    cross join run_context
    group by moves.month_start, moves.from_stage, moves.to_stage, run_context.as_of_date
)

select * from final
