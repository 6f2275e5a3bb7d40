with

buyers as (
    select customer_id from {{ ref('int_customer_purchases_summarised') }}
),

enrolments as (
    select * from {{ ref('int_programme_enrolments_listed') }}
),

horizons as (
    select horizon_days from {{ ref('programme_horizons') }}
),

purchase_days as (
    select customer_id, purchase_on, net_revenue, discount_amount from {{ ref('int_customer_days_summed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

recent_days as (
    select
        horizons.horizon_days,
        purchase_days.customer_id,
        count(*) as purchase_days,
        sum(purchase_days.net_revenue) as net_revenue,
        sum(purchase_days.discount_amount) as discount_amount
    from purchase_days
    cross join run_context
    inner join horizons
        on purchase_days.purchase_on > {{ add_days('run_context.as_of_date', '-horizons.horizon_days') }}
    group by horizons.horizon_days, purchase_days.customer_id
),

customer_windows as (
    select
        horizons.horizon_days,
        enrolments.customer_id is not null as is_member,
        coalesce(recent_days.purchase_days, 0) as purchase_days,
        coalesce(recent_days.net_revenue, 0) as net_revenue,
        coalesce(recent_days.discount_amount, 0) as discount_amount
    from buyers
    cross join horizons
    left join enrolments on buyers.customer_id = enrolments.customer_id
    left join recent_days
        on buyers.customer_id = recent_days.customer_id
        and horizons.horizon_days = recent_days.horizon_days
),

final as (
    select
        horizon_days,
        is_member,
        count(*) as customers,
        cast(sum(purchase_days) as bigint) as purchase_days,
        {{ total('sum(net_revenue)') }} as net_revenue,
        {{ total('sum(discount_amount)') }} as discount_amount,
        count(*) filter (where purchase_days = 0) as churned_customers
    from customer_windows
    group by horizon_days, is_member
)

select * from final
