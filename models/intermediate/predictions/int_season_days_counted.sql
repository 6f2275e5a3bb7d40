{% set boundaries = [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 330, 365] %}

with

champions as (
    select * from {{ ref('int_model_champions_current') }}
    where target = 'purchases' and is_seasonal
),

parameters as (
    select * from {{ ref('stg_model_parameters') }}
    where target = 'purchases' and model_name = 'season'
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

-- months of thirty days, and the rest of a year
boundaries as (
    {% for days in boundaries -%}
    select {{ days }} as days
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- empty where the season is off
month_index as (
    select
        cast(substring(parameters.parameter, 7) as integer) as month_of_year,
        parameters.value as month_index
    from parameters
    inner join champions on parameters.fit_id = champions.parameters_fit_id
),

months as (
    select {{ month_series(add_days('as_of_date', 1), add_days('as_of_date', 365)) }} as month_start
    from run_context
),

bounded_months as (
    select
        month_start,
        {{ add_months('month_start', 1) }} as next_month_start
    from months
),

-- the days of a month between the day after the as-of date and the boundary
days_by_month as (
    select
        boundaries.days,
        bounded_months.month_start,
        {{ day_diff(
            'greatest(bounded_months.month_start, ' ~ add_days('run_context.as_of_date', 1) ~ ')',
            'least(bounded_months.next_month_start, ' ~ add_days('run_context.as_of_date', 'boundaries.days + 1') ~ ')'
        ) }} as days_of_month
    from boundaries
    cross join run_context
    cross join bounded_months
),

final as (
    select
        days_by_month.days,
        -- a day of a month that the index leaves out is a day
        sum(days_by_month.days_of_month * coalesce(month_index.month_index, 1e0)) as effective_days
    from days_by_month
    left join month_index on extract(month from days_by_month.month_start) = month_index.month_of_year
    where days_by_month.days_of_month > 0
    group by days_by_month.days
)

select * from final
