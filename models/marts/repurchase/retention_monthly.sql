with

purchase_days as (
    select * from {{ ref('int_purchase_days_numbered') }}
),

months as (
    select month_start from {{ ref('int_months_listed') }}
    -- nobody can be active before the first month has begun
    where not is_first
),

customer_dimensions as (
    select * from {{ ref('int_customer_dimensions_listed') }}
),

run_context as (
    select as_of_date, active_days from {{ ref('run_context') }}
),

-- per month, the latest purchase of each customer before it, where that is recent enough for the customer to be active
active_customers as (
    select
        months.month_start,
        purchase_days.customer_id,
        coalesce(
            purchase_days.next_purchase_on < {{ add_days('months.month_start', 'run_context.active_days') }}, false
        ) as is_retained
    from purchase_days
    inner join months
        on purchase_days.purchase_on < months.month_start
        and (purchase_days.next_purchase_on >= months.month_start or purchase_days.next_purchase_on is null)
    cross join run_context
    where purchase_days.purchase_on >= {{ add_days('months.month_start', '-run_context.active_days') }}
),

counted as (
    select
        active_customers.month_start,
        customer_dimensions.dimension,
        customer_dimensions.dimension_value,
        count(*) as active_customers,
        count(*) filter (where active_customers.is_retained) as retained_customers
    from active_customers
    inner join customer_dimensions on active_customers.customer_id = customer_dimensions.customer_id
    group by active_customers.month_start, customer_dimensions.dimension, customer_dimensions.dimension_value
),

judged as (
    select
        counted.*,
        {{ add_days('counted.month_start', 'run_context.active_days - 1') }} <= run_context.as_of_date as is_mature
    from counted
    cross join run_context
),

final as (
    select
        month_start as month,
        dimension,
        dimension_value,
        active_customers,
        case when is_mature then retained_customers end as retained_customers,
        case when is_mature then {{ ratio('retained_customers', 'active_customers') }} end as retention_rate,
        case when is_mature then {{ wilson_low('retained_customers', 'active_customers') }} end as retention_rate_low,
        case when is_mature then {{ wilson_high('retained_customers', 'active_customers') }} end as retention_rate_high,
        case when is_mature then 1e0 - {{ ratio('retained_customers', 'active_customers') }} end as churn_rate,
        is_mature
    from judged
)

{{ select_with_labels('final') }}
