with

run_parameters as (
    select * from {{ ref('stg_run_parameters') }}
),

latest_order as (
    select ordered_on from {{ ref('int_orders_latest') }}
),

-- only asked where there is no order by the run's own day
latest_event as (
    select event_at from {{ ref('int_events_latest') }}
),

final as (
    select
        run_parameters.run_id,
        run_parameters.started_at,
        coalesce(
            run_parameters.requested_as_of_date,
            latest_order.ordered_on,
            {{ business_day('latest_event.event_at', 'run_parameters.business_timezone') }},
            run_parameters.yesterday
        ) as as_of_date,
        run_parameters.company_key,
        -- each setting of dbt_project.yml under its name
        {% for name in var('settings') %}
        run_parameters.{{ name }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from run_parameters
    cross join latest_order
    cross join latest_event
)

select * from final
