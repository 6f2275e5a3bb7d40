with

feature_dates as (
    select as_of_date from {{ ref('int_feature_dates_listed') }}
    where not is_as_of
),

snapshots as (
    select snapshot_on, customer_id from {{ ref('int_customer_snapshots_taken') }}
),

purchase_days as (
    select customer_id, purchase_on, net_revenue from {{ ref('int_purchase_days_numbered') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

horizons as (
    select horizon_days from {{ ref('prediction_horizons') }}
),

-- what has not fully passed says nothing of who will not come
windows as (
    select
        feature_dates.as_of_date,
        horizons.horizon_days,
        {{ add_days('feature_dates.as_of_date', 'horizons.horizon_days') }} as window_ends_on
    from feature_dates
    cross join horizons
    cross join run_context
    where {{ add_days('feature_dates.as_of_date', 'horizons.horizon_days') }} <= run_context.as_of_date
),

later_purchases as (
    select
        windows.as_of_date,
        windows.horizon_days,
        purchase_days.customer_id,
        count(*) as purchase_days,
        sum(purchase_days.net_revenue) as net_revenue
    from purchase_days
    inner join windows
        on purchase_days.purchase_on > windows.as_of_date
        and purchase_days.purchase_on <= windows.window_ends_on
    group by windows.as_of_date, windows.horizon_days, purchase_days.customer_id
),

-- one row per customer with a purchase by the date, whether or not another one came
final as (
    select
        windows.as_of_date,
        snapshots.customer_id,
        cast(windows.horizon_days as integer) as horizon_days,
        coalesce(later_purchases.purchase_days, 0) as purchase_days,
        {{ total('coalesce(later_purchases.net_revenue, 0)') }} as net_revenue
    from windows
    inner join snapshots on windows.as_of_date = snapshots.snapshot_on
    left join later_purchases
        on windows.as_of_date = later_purchases.as_of_date
        and windows.horizon_days = later_purchases.horizon_days
        and snapshots.customer_id = later_purchases.customer_id
)

select * from final
