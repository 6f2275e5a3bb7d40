with

months as (
    select * from {{ ref('int_months_listed') }}
),

refit_requests as (
    select count(*) as requests from {{ ref('stg_refit_requests') }}
),

run_context as (
    select
        as_of_date,
        -- a backtest over 365 days looks a year back, and trains on what was known a year before that
        {{ add_months(period_start('month', 'as_of_date'), -25) }} as first_month
    from {{ ref('run_context') }}
),

-- only a refit looks back: at every other time the past month ends would be most of the work and nobody would read them
past_dates as (
    select
        months.month_end as as_of_date,
        false as is_as_of
    from months
    cross join run_context
    cross join refit_requests
    where
        refit_requests.requests > 0
        and months.month_end < run_context.as_of_date
        and months.month_start >= run_context.first_month
),

final as (
    select
        as_of_date,
        true as is_as_of
    from run_context
    union all
    select
        as_of_date,
        is_as_of
    from past_dates
)

select * from final
