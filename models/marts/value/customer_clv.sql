with

purchases as (
    select * from {{ ref('int_customer_purchases_summarised') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

final as (
    select
        purchases.customer_id,
        run_context.as_of_date,
        purchases.purchase_days - 1 as repeat_purchase_days,
        cast({{ day_diff('purchases.first_purchase_on', 'purchases.last_purchase_on') }} as integer) as recency_days_btyd,
        cast({{ day_diff('purchases.first_purchase_on', 'run_context.as_of_date') }} as integer) as tenure_days,
        purchases.net_revenue as historic_net_revenue,
        purchases.margin_amount as historic_margin,
        {{ money_per('purchases.net_revenue', 'purchases.purchase_days') }} as net_revenue_per_purchase_day
    from purchases
    cross join run_context
)

select * from final
