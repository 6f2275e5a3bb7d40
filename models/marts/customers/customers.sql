with

customers as (
    select * from {{ ref('int_customers_described') }}
),

purchases as (
    select * from {{ ref('int_customer_purchases_summarised') }}
),

final as (
    select
        customers.customer_id,
        customers.registered_on,
        purchases.first_purchase_on,
        purchases.last_purchase_on,
        coalesce(purchases.purchase_days, 0) as purchase_days,
        coalesce(purchases.orders, 0) as orders,
        coalesce(purchases.net_revenue, {{ total('0') }}) as net_revenue,
        customers.acquisition_channel,
        customers.country,
        customers.region,
        customers.city,
        customers.gender,
        customers.age_band,
        customers.income_band,
        customers.occupation,
        customers.loyalty_tier,
        customers.referred_by_customer_id,
        customers.is_guest,
        customers.is_deleted,
        customers.is_contactable
    from customers
    -- one row per customer on both sides
    left join purchases on customers.customer_id = purchases.customer_id
)

{{ select_with_labels('final') }}
