with

purchase_days as (
    select * from {{ ref('int_purchase_days_numbered') }}
),

months as (
    select * from {{ ref('int_months_listed') }}
    where not is_first
),

customer_dimensions as (
    select * from {{ ref('int_customer_dimensions_listed') }}
),

run_context as (
    select lapsed_days from {{ ref('run_context') }}
),

-- per month, the customers whose latest purchase before it was long enough ago on the eve of the month
lapsed_customers as (
    select
        months.month_start,
        months.is_complete,
        purchase_days.customer_id,
        coalesce(purchase_days.next_purchase_on < months.next_month_start, false) as is_reactivated
    from purchase_days
    inner join months
        on purchase_days.purchase_on < months.month_start
        and (purchase_days.next_purchase_on >= months.month_start or purchase_days.next_purchase_on is null)
    cross join run_context
    where {{ day_diff('purchase_days.purchase_on', 'months.month_start') }} - 1 >= run_context.lapsed_days
),

counted as (
    select
        lapsed_customers.month_start,
        lapsed_customers.is_complete,
        customer_dimensions.dimension,
        customer_dimensions.dimension_value,
        count(*) as lapsed_customers,
        count(*) filter (where lapsed_customers.is_reactivated) as reactivated_customers
    from lapsed_customers
    inner join customer_dimensions on lapsed_customers.customer_id = customer_dimensions.customer_id
    group by
        lapsed_customers.month_start,
        lapsed_customers.is_complete,
        customer_dimensions.dimension,
        customer_dimensions.dimension_value
),

final as (
    select
        counted.month_start as month,
        counted.dimension,
        counted.dimension_value,
        counted.lapsed_customers,
        counted.reactivated_customers,
        {{ ratio('counted.reactivated_customers', 'counted.lapsed_customers') }} as reactivation_rate,
        {{ wilson_low('counted.reactivated_customers', 'counted.lapsed_customers') }} as reactivation_rate_low,
        {{ wilson_high('counted.reactivated_customers', 'counted.lapsed_customers') }} as reactivation_rate_high,
        counted.is_complete
    from counted
)

{{ select_with_labels('final') }}
