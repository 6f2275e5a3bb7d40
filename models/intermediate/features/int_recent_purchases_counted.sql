with

feature_dates as (
    select as_of_date from {{ ref('int_feature_dates_listed') }}
),

purchase_days as (
    select customer_id, purchase_on, net_revenue from {{ ref('int_purchase_days_numbered') }}
),

-- a purchase day counts for every date that it lies in the 180 days up to
recent_days as (
    select
        feature_dates.as_of_date,
        purchase_days.customer_id,
        purchase_days.net_revenue,
        {{ day_diff('purchase_days.purchase_on', 'feature_dates.as_of_date') }} as days_ago
    from purchase_days
    inner join feature_dates
        on purchase_days.purchase_on <= feature_dates.as_of_date
        and purchase_days.purchase_on > {{ add_days('feature_dates.as_of_date', -180) }}
),

final as (
    select
        as_of_date,
        customer_id,
        count(*) filter (where days_ago < 30) as purchase_days_30d,
        count(*) filter (where days_ago < 90) as purchase_days_90d,
        count(*) filter (where days_ago >= 90) as purchase_days_previous_90d,
        {{ total('coalesce(sum(net_revenue) filter (where days_ago < 90), 0)') }} as net_revenue_90d,
        {{ total('coalesce(sum(net_revenue) filter (where days_ago >= 90), 0)') }} as net_revenue_previous_90d
    from recent_days
    group by as_of_date, customer_id
)

select * from final
