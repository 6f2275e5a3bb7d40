with

months as (
    select month_start, snapshot_on from {{ ref('int_months_listed') }}
),

purchase_days as (
    select * from {{ ref('int_purchase_days_numbered') }}
),

-- one row per month and customer with a purchase by then: of all purchase days, the one that was the latest
latest_days as (
    select
        months.month_start,
        months.snapshot_on,
        {{ add_days('months.snapshot_on', -365) }} as year_before,
        purchase_days.customer_id,
        purchase_days.first_purchase_on,
        purchase_days.purchase_on as last_purchase_on,
        purchase_days.previous_purchase_on,
        purchase_days.returned_on,
        purchase_days.purchase_number as purchase_days,
        purchase_days.net_revenue_to_date
    from purchase_days
    inner join months
        on purchase_days.purchase_on <= months.snapshot_on
        and (purchase_days.next_purchase_on > months.snapshot_on or purchase_days.next_purchase_on is null)
),

final as (
    select
        latest_days.month_start,
        latest_days.snapshot_on,
        latest_days.customer_id,
        latest_days.first_purchase_on,
        latest_days.last_purchase_on,
        latest_days.previous_purchase_on,
        latest_days.returned_on,
        latest_days.purchase_days,
        latest_days.net_revenue_to_date,
        -- running totals make the trailing year a difference of two rows instead of a sum over the year
        latest_days.purchase_days - coalesce(days_a_year_before.purchase_number, 0) as purchase_days_365d,
        {{ total('latest_days.net_revenue_to_date - coalesce(days_a_year_before.net_revenue_to_date, 0)') }} as net_revenue_365d
    from latest_days
    left join purchase_days as days_a_year_before
        on latest_days.customer_id = days_a_year_before.customer_id
        and days_a_year_before.purchase_on <= latest_days.year_before
        and (
            days_a_year_before.next_purchase_on > latest_days.year_before
            or days_a_year_before.next_purchase_on is null
        )
)

select * from final
