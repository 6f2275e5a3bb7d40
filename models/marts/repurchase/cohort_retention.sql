with

purchases as (
    select customer_id, cohort_month from {{ ref('int_customer_purchases_summarised') }}
),

purchase_days as (
    select customer_id, purchase_on, net_revenue from {{ ref('int_purchase_days_numbered') }}
),

months as (
    select month_start, is_complete from {{ ref('int_months_listed') }}
),

cohorts as (
    select
        cohort_month,
        count(*) as cohort_customers
    from purchases
    group by cohort_month
),

-- a month in which nobody of a cohort came back is a row with zero
cells as (
    select
        cohorts.cohort_month,
        cohorts.cohort_customers,
        months.month_start,
        months.is_complete
    from cohorts
    inner join months on cohorts.cohort_month <= months.month_start
),

activity as (
    select
        purchases.cohort_month,
        {{ period_start('month', 'purchase_days.purchase_on') }} as month_start,
        count(distinct purchase_days.customer_id) as retained_customers,
        sum(purchase_days.net_revenue) as net_revenue
    from purchase_days
    inner join purchases on purchase_days.customer_id = purchases.customer_id
    group by purchases.cohort_month, {{ period_start('month', 'purchase_days.purchase_on') }}
),

filled as (
    select
        cells.cohort_month,
        cells.month_start,
        cells.cohort_customers,
        cells.is_complete,
        coalesce(activity.retained_customers, 0) as retained_customers,
        coalesce(activity.net_revenue, 0) as net_revenue
    from cells
    left join activity
        on cells.cohort_month = activity.cohort_month
        and cells.month_start = activity.month_start
),

accumulated as (
    select
        *,
        sum(net_revenue) over (
            partition by cohort_month
            order by month_start asc nulls last
            rows between unbounded preceding and current row
        ) as cumulative_net_revenue
    from filled
),

final as (
    select
        cohort_month,
        cast({{ month_diff('cohort_month', 'month_start') }} as integer) as months_since_first,
        month_start as month,
        cohort_customers,
        retained_customers,
        {{ ratio('retained_customers', 'cohort_customers') }} as retention_rate,
        {{ wilson_low('retained_customers', 'cohort_customers') }} as retention_rate_low,
        {{ wilson_high('retained_customers', 'cohort_customers') }} as retention_rate_high,
        {{ total('net_revenue') }} as net_revenue,
        {{ money_per('cumulative_net_revenue', 'cohort_customers') }} as cumulative_net_revenue_per_customer,
        is_complete
    from accumulated
)

select * from final
