with

customers as (
    select * from {{ ref('int_customer_purchases_summarised') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

final as (
    select
        count(customers.customer_id) as customers,
        {{ day_diff('min(customers.first_purchase_on)', 'max(run_context.as_of_date)') }} as history_days
    from run_context
    left join customers on true
)

select * from final
