with

purchase_days as (
    select * from {{ ref('int_customer_days_summed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

span as (
    select
        min(purchase_days.purchase_on) as first_day,
        max(run_context.as_of_date) as last_day
    from purchase_days
    cross join run_context
),

months as (
    select {{ month_series('first_day', 'last_day') }} as month_start
    from span
    where first_day is not null
),

bounded_months as (
    select
        month_start,
        {{ period_end('month', 'month_start') }} as month_end,
        {{ add_months('month_start', 1) }} as next_month_start
    from months
),

final as (
    select
        bounded_months.month_start,
        bounded_months.month_end,
        bounded_months.next_month_start,
        bounded_months.month_end <= run_context.as_of_date as is_complete,
        -- the day on which the month is looked at: its last, or the as-of date where that has not come
        case
            when bounded_months.month_end <= run_context.as_of_date then bounded_months.month_end
            else run_context.as_of_date
        end as snapshot_on,
        row_number() over (order by bounded_months.month_start asc nulls last) = 1 as is_first
    from bounded_months
    cross join run_context
)

select * from final
