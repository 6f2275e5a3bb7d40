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

holidays as (
    select
        event,
        first_on,
        last_on
    from {{ ref('holidays') }}
),

-- months of thirty days, and the rest of a year
boundaries as (
    {% for days in boundaries -%}
    select {{ days }} as days
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- empty where the season is off
season as (
    select
        parameters.parameter,
        parameters.value
    from parameters
    inner join champions on parameters.fit_id = champions.parameters_fit_id
),

month_index as (
    select
        cast(substring(parameter, 7) as integer) as month_of_year,
        value as month_index
    from season
    where substring(parameter, 1, 6) = 'month_'
),

event_index as (
    select
        substring(parameter, 7) as event,
        value as event_index
    from season
    where substring(parameter, 1, 6) = 'event_'
),

days_ahead as (
    select {{ day_series(add_days('as_of_date', 1), add_days('as_of_date', 365)) }} as day_on
    from run_context
),

-- a day is in an event once, whatever the seed has
event_days as (
    select
        days_ahead.day_on,
        event_index.event,
        max(event_index.event_index) as event_index
    from days_ahead
    inner join holidays on days_ahead.day_on between holidays.first_on and holidays.last_on
    inner join event_index on holidays.event = event_index.event
    group by days_ahead.day_on, event_index.event
),

-- events of the same day multiply
days_of_events as (
    select
        day_on,
        exp({{ sum_rounded('ln(event_index)') }}) as event_index
    from event_days
    group by day_on
),

day_lengths as (
    select
        days_ahead.day_on,
        -- a day of a month that the index leaves out is a day, and so is one without an event
        coalesce(month_index.month_index, 1e0) * coalesce(days_of_events.event_index, 1e0) as day_length
    from days_ahead
    left join month_index on extract(month from days_ahead.day_on) = month_index.month_of_year
    left join days_of_events on days_ahead.day_on = days_of_events.day_on
),

final as (
    select
        boundaries.days,
        {{ sum_rounded('day_lengths.day_length') }} as effective_days
    from boundaries
    cross join run_context
    inner join day_lengths on day_lengths.day_on <= {{ add_days('run_context.as_of_date', 'boundaries.days') }}
    group by boundaries.days
)

select * from final
