with

orders as (
    select * from {{ ref('stg_orders') }}
),

known_orders as (
    select * from {{ ref('int_orders_validated') }}
),

run_context as (
    select as_of_date, business_timezone from {{ ref('run_context') }}
),

kinds as (
    select 'after_as_of_date' as warning_code
    union all
    select 'returned_without_refund' as warning_code
),

dated_orders as (
    select
        {{ business_day('orders.ordered_at', 'run_context.business_timezone') }} as ordered_on,
        run_context.as_of_date
    from orders
    cross join run_context
),

warned_orders as (
    select
        'after_as_of_date' as warning_code,
        ordered_on
    from dated_orders
    where ordered_on > as_of_date

    union all

    select
        'returned_without_refund' as warning_code,
        ordered_on
    from known_orders
    where is_valid and status = 'returned' and refund_amount = 0
),

final as (
    select
        kinds.warning_code,
        run_context.as_of_date,
        count(warned_orders.ordered_on) as orders,
        min(warned_orders.ordered_on) as first_ordered_on,
        max(warned_orders.ordered_on) as newest_ordered_on
    from kinds
    cross join run_context
    left join warned_orders on kinds.warning_code = warned_orders.warning_code
    group by kinds.warning_code, run_context.as_of_date
)

{{ select_with_labels('final') }}
