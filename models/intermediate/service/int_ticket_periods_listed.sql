with

tickets as (
    select opened_on from {{ ref('int_tickets_timed') }}
),

orders as (
    select ordered_on from {{ ref('int_orders_validated') }}
    where is_valid
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

first_ticket as (
    select {{ period_start('month', 'min(opened_on)') }} as first_month_start from tickets
),

-- orders from before tickets were kept would make complaints look rare
days as (
    select opened_on as day_on from tickets
    union all
    select orders.ordered_on as day_on
    from orders
    inner join first_ticket on orders.ordered_on >= first_ticket.first_month_start
),

service_days as (
    select day_on
    from days
    group by day_on
),

final as (
    {% for grain in ['month', 'quarter', 'year'] -%}
    select
        service_days.day_on,
        '{{ grain }}' as period_grain,
        {{ period_start(grain, 'service_days.day_on') }} as period_start,
        {{ period_end(grain, 'service_days.day_on') }} <= run_context.as_of_date as is_complete
    from service_days
    cross join run_context
    union all

    {% endfor -%}
    select
        service_days.day_on,
        'all' as period_grain,
        first_ticket.first_month_start as period_start,
        true as is_complete
    from service_days
    cross join first_ticket
)

select * from final
