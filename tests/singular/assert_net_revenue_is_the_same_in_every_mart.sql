with valid_orders as (
    select coalesce(sum(net_revenue), 0) as net_revenue from {{ ref('orders') }}
    where is_valid
),

totals as (
    select 'customers' as mart, sum(net_revenue) as net_revenue from {{ ref('customers') }}
    union all
    select 'customer_clv' as mart, sum(historic_net_revenue) as net_revenue from {{ ref('customer_clv') }}
    union all
    select 'cohort_retention' as mart, sum(net_revenue) as net_revenue from {{ ref('cohort_retention') }}
    union all
    select 'purchase_times' as mart, sum(net_revenue) as net_revenue from {{ ref('purchase_times') }}
    union all
    select
        'purchase_frequency, by ' || grains.period_grain || ' and ' || dimensions.dimension as mart,
        coalesce(sum(purchase_frequency.net_revenue), 0) as net_revenue
    from (select 'month' as period_grain union all select 'quarter' as period_grain union all select 'year' as period_grain) as grains
    cross join (select distinct dimension from {{ ref('purchase_frequency') }}) as dimensions -- the dimensions themselves
    left join {{ ref('purchase_frequency') }} as purchase_frequency
        on grains.period_grain = purchase_frequency.period_grain
        and dimensions.dimension = purchase_frequency.dimension
    group by grains.period_grain, dimensions.dimension
)

select totals.mart, totals.net_revenue, valid_orders.net_revenue as net_revenue_of_orders
from totals
cross join valid_orders
where coalesce(totals.net_revenue, 0) != valid_orders.net_revenue
