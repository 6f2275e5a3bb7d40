with

purchase_days as (
    select * from {{ ref('int_purchase_days_numbered') }}
),

months as (
    select month_start, is_complete from {{ ref('int_months_listed') }}
),

customer_months as (
    select
        customer_id,
        {{ period_start('month', 'purchase_on') }} as month_start,
        {{ period_start('month', 'min(first_purchase_on)') }} as first_month
    from purchase_days
    group by customer_id, {{ period_start('month', 'purchase_on') }}
),

activity as (
    select
        customer_id,
        month_start,
        first_month,
        lag(month_start) over (partition by customer_id order by month_start asc nulls last) as previous_active_month
    from customer_months
),

classified as (
    select
        customer_id,
        month_start,
        case
            when month_start = first_month then 'new'
            when {{ month_diff('previous_active_month', 'month_start') }} = 1 then 'retained'
            else 'reactivated'
        end as kind
    from activity
),

counted as (
    select
        months.month_start,
        months.is_complete,
        count(classified.customer_id) as active_customers,
        count(*) filter (where classified.kind = 'new') as new_customers,
        count(*) filter (where classified.kind = 'retained') as retained_customers,
        count(*) filter (where classified.kind = 'reactivated') as reactivated_customers
    from months
    left join classified on months.month_start = classified.month_start
    group by months.month_start, months.is_complete
),

compared as (
    select
        *,
        coalesce(lag(active_customers) over (order by month_start asc nulls last), 0) as previous_active_customers
    from counted
),

final as (
    select
        month_start as month,
        new_customers,
        retained_customers,
        reactivated_customers,
        previous_active_customers - retained_customers as churned_customers,
        active_customers,
        previous_active_customers,
        {{ ratio('new_customers + reactivated_customers', 'previous_active_customers - retained_customers') }} as quick_ratio,
        is_complete
    from compared
)

select * from final
