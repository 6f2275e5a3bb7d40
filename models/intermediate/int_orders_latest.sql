{#- A few orders long after all others are a slip of a date: as few of them as this, as small a share, after as long a gap. -#}
{%- set most_orders, orders_for_each, gap_days = 5, 1000, 30 -%}

with

run_parameters as (
    select * from {{ ref('stg_run_parameters') }}
),

orders as (
    select * from {{ ref('stg_orders') }}
),

-- what is dated after the run's own day has not happened, and says nothing of the rest
known_orders as (
    select
        orders.ordered_at,
        run_parameters.business_timezone
    from orders
    cross join run_parameters
    where {{ is_by_business_day('orders.ordered_at', 'run_parameters.started_at', 'run_parameters.business_timezone') }}
),

counted_orders as (
    select count(*) as orders from known_orders
),

-- those that may be slips, and the one before them: no other can follow the gap
newest_orders as (
    select * from known_orders
    order by ordered_at desc
    limit {{ most_orders + 1 }}
),

dated_orders as (
    select
        {{ business_day('ordered_at', 'business_timezone') }} as ordered_on,
        row_number() over (order by ordered_at desc) - 1 as later_orders,
        lag({{ business_day('ordered_at', 'business_timezone') }}) over (order by ordered_at desc) as next_ordered_on
    from newest_orders
),

final as (
    select
        coalesce(
            -- of several gaps the first, or a slip would be the newest day because another lies beyond it
            min(
                case
                    when
                        {{ day_diff('dated_orders.ordered_on', 'dated_orders.next_ordered_on') }} > {{ gap_days }}
                        and dated_orders.later_orders * {{ orders_for_each }} <= counted_orders.orders
                        then dated_orders.ordered_on
                end
            ),
            max(dated_orders.ordered_on)
        ) as ordered_on
    from dated_orders
    cross join counted_orders
)

select * from final
