with

valid_orders as (
    select
        order_id,
        customer_id,
        {{ iso_weekday('ordered_on') }} as iso_weekday,
        cast(extract(hour from ordered_at_local) as integer) as hour_of_day,
        net_revenue
    from {{ ref('int_orders_validated') }}
    where is_valid
),

weekdays as (
    select iso_weekday from {{ ref('weekdays') }}
),

hours as (
    select hour_of_day from {{ ref('hours_of_day') }}
),

-- an hour without orders is a row with zero, so that a heat map has no holes
grid as (
    select
        weekdays.iso_weekday,
        hours.hour_of_day
    from weekdays
    cross join hours
),

totals as (
    select count(*) as orders from valid_orders
),

counted as (
    select
        iso_weekday,
        hour_of_day,
        count(*) as orders,
        count(distinct customer_id) as customers,
        sum(net_revenue) as net_revenue
    from valid_orders
    group by iso_weekday, hour_of_day
),

final as (
    select
        grid.iso_weekday,
        grid.hour_of_day,
        coalesce(counted.orders, 0) as orders,
        coalesce(counted.customers, 0) as customers,
        {{ total('coalesce(counted.net_revenue, 0)') }} as net_revenue,
        totals.orders as total_orders,
        {{ ratio('coalesce(counted.orders, 0)', 'totals.orders') }} as order_share
    from grid
    cross join totals
    left join counted
        on grid.iso_weekday = counted.iso_weekday
        and grid.hour_of_day = counted.hour_of_day
)

{{ select_with_labels('final') }}
