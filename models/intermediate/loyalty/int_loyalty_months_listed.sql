with

versions as (
    select * from {{ ref('int_membership_versions_dated') }}
),

movements as (
    select * from {{ ref('int_points_movements_ordered') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

first_days as (
    select min(valid_from_on) as first_day from versions
    union all
    select min(occurred_on) as first_day from movements
),

span as (
    select
        min(first_days.first_day) as first_day,
        max(run_context.as_of_date) as last_day
    from first_days
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
        {{ period_end('month', 'month_start') }} as month_end
    from months
),

final as (
    select
        bounded_months.month_start,
        bounded_months.month_end,
        bounded_months.month_end <= run_context.as_of_date as is_complete,
        -- the day on which the month is looked at: its last, or the as-of date where that has not come
        case
            when bounded_months.month_end <= run_context.as_of_date then bounded_months.month_end
            else run_context.as_of_date
        end as snapshot_on
    from bounded_months
    cross join run_context
)

select * from final
