with

snapshots as (
    select * from {{ ref('int_customer_snapshots_taken') }}
),

customer_dimensions as (
    select * from {{ ref('int_customer_dimensions_listed') }}
),

windows as (
    select window_days from {{ ref('repurchase_windows') }}
),

-- two purchase days in the window are the latest one and the one before it, so no history needs to be counted
customer_windows as (
    select
        snapshots.snapshot_on,
        windows.window_days,
        snapshots.customer_id,
        {{ day_diff('snapshots.last_purchase_on', 'snapshots.snapshot_on') }} < windows.window_days as is_buyer,
        coalesce(
            {{ day_diff('snapshots.previous_purchase_on', 'snapshots.snapshot_on') }} < windows.window_days, false
        ) as is_repeat_buyer
    from snapshots
    cross join windows
),

counted as (
    select
        customer_windows.snapshot_on,
        customer_windows.window_days,
        customer_dimensions.dimension,
        customer_dimensions.dimension_value,
        count(*) filter (where customer_windows.is_buyer) as buyers,
        count(*) filter (where customer_windows.is_repeat_buyer) as repeat_buyers
    from customer_windows
    -- one row per customer and dimension, so each dimension counts every customer once
    inner join customer_dimensions on customer_windows.customer_id = customer_dimensions.customer_id
    group by
        customer_windows.snapshot_on,
        customer_windows.window_days,
        customer_dimensions.dimension,
        customer_dimensions.dimension_value
),

final as (
    select
        counted.snapshot_on as as_of_date,
        counted.window_days,
        counted.dimension,
        counted.dimension_value,
        counted.buyers,
        counted.repeat_buyers,
        {{ ratio('counted.repeat_buyers', 'counted.buyers') }} as repurchase_rate,
        {{ wilson_low('counted.repeat_buyers', 'counted.buyers') }} as repurchase_rate_low,
        {{ wilson_high('counted.repeat_buyers', 'counted.buyers') }} as repurchase_rate_high
    from counted
    where counted.buyers > 0 or counted.dimension = 'all'
)

{{ select_with_labels('final') }}
