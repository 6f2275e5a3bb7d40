with

stages as (
    select month_start, customer_id, lifecycle_stage from {{ ref('int_lifecycle_stages_assigned') }}
),

customers as (
    select customer_id, known_since from {{ ref('int_customers_described') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

-- once known, a customer has a row in every month, so the row before is that of the month before
consecutive_stages as (
    select
        month_start,
        customer_id,
        lag(lifecycle_stage) over (partition by customer_id order by month_start asc nulls last) as previous_stage,
        lifecycle_stage
    from stages
),

moves as (
    select
        consecutive_stages.month_start,
        consecutive_stages.customer_id,
        case
            when consecutive_stages.previous_stage is not null then consecutive_stages.previous_stage
            -- known before the first month of all, in which the first purchase was made
            when customers.known_since is null or customers.known_since < consecutive_stages.month_start then 'prospect'
            else 'none'
        end as from_stage,
        consecutive_stages.lifecycle_stage as to_stage
    from consecutive_stages
    inner join customers on consecutive_stages.customer_id = customers.customer_id
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

{{ select_with_labels('final') }}
