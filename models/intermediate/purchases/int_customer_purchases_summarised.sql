with

purchase_days as (
    select * from {{ ref('int_purchase_days_numbered') }}
),

final as (
    select
        customer_id,
        min(purchase_on) as first_purchase_on,
        min(case when purchase_number = 2 then purchase_on end) as second_purchase_on,
        max(purchase_on) as last_purchase_on,
        {{ period_start('month', 'min(purchase_on)') }} as cohort_month,
        count(*) as purchase_days,
        cast(sum(orders) as bigint) as orders,
        {{ total('sum(net_revenue)') }} as net_revenue,
        {{ total('sum(margin_amount)') }} as margin_amount
    from purchase_days
    group by customer_id
)

select * from final
