with

purchase_days as (
    select * from {{ ref('int_purchase_days_numbered') }}
),

customer_dimensions as (
    select * from {{ ref('int_customer_dimensions_listed') }}
),

run_context as (
    select as_of_date from {{ ref('run_context') }}
),

customer_periods as (
    {% for grain in ['month', 'quarter', 'year'] -%}
    select
        customer_id,
        '{{ grain }}' as period_grain,
        {{ period_start(grain, 'purchase_on') }} as period_start,
        {{ period_end(grain, 'purchase_on') }} as period_end,
        count(*) as purchase_days,
        sum(orders) as orders,
        sum(net_revenue) as net_revenue
    from purchase_days
    group by customer_id, {{ period_start(grain, 'purchase_on') }}, {{ period_end(grain, 'purchase_on') }}
    {% if not loop.last %}
    union all

    {% endif %}
    {%- endfor %}
),

counted as (
    select
        customer_periods.period_start,
        customer_periods.period_end,
        customer_periods.period_grain,
        customer_dimensions.dimension,
        customer_dimensions.dimension_value,
        count(*) as buyers,
        cast(sum(customer_periods.purchase_days) as bigint) as purchase_days,
        cast(sum(customer_periods.orders) as bigint) as orders,
        sum(customer_periods.net_revenue) as net_revenue
    from customer_periods
    inner join customer_dimensions on customer_periods.customer_id = customer_dimensions.customer_id
    group by
        customer_periods.period_start,
        customer_periods.period_end,
        customer_periods.period_grain,
        customer_dimensions.dimension,
        customer_dimensions.dimension_value
),

final as (
    select
        counted.period_start,
        counted.period_grain,
        counted.dimension,
        counted.dimension_value,
        counted.buyers,
        counted.purchase_days,
        counted.orders,
        {{ total('counted.net_revenue') }} as net_revenue,
        {{ ratio('counted.purchase_days', 'counted.buyers') }} as purchase_days_per_buyer,
        {{ ratio('counted.orders', 'counted.buyers') }} as orders_per_buyer,
        {{ money_per('counted.net_revenue', 'counted.orders') }} as average_order_value,
        counted.period_end <= run_context.as_of_date as is_complete
    from counted
    cross join run_context
)

{{ select_with_labels('final') }}
