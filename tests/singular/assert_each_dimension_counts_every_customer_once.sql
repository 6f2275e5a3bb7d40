with cells as (
    select
        'repurchase_rates, ' || cast(as_of_date as {{ dbt.type_string() }}) || ', ' || cast(window_days as {{ dbt.type_string() }}) as cell,
        dimension,
        buyers as whole,
        repeat_buyers as part
    from {{ ref('repurchase_rates') }}
    union all
    select
        'retention_monthly, ' || cast(month as {{ dbt.type_string() }}) as cell,
        dimension,
        active_customers as whole,
        coalesce(retained_customers, 0) as part
    from {{ ref('retention_monthly') }}
    union all
    select
        'reactivation_monthly, ' || cast(month as {{ dbt.type_string() }}) as cell,
        dimension,
        lapsed_customers as whole,
        reactivated_customers as part
    from {{ ref('reactivation_monthly') }}
    union all
    select
        'purchase_frequency, ' || period_grain || ' ' || cast(period_start as {{ dbt.type_string() }}) as cell,
        dimension,
        purchase_days as whole,
        buyers as part
    from {{ ref('purchase_frequency') }}
    union all
    select 'time_to_second_purchase' as cell, dimension, events + censored as whole, events as part
    from {{ ref('time_to_second_purchase') }}
),

sums as (
    select cell, dimension, sum(whole) as whole, sum(part) as part
    from cells
    group by cell, dimension
)

select
    sums.cell,
    sums.dimension,
    sums.whole,
    sums.part,
    wholes.whole as whole_of_all,
    wholes.part as part_of_all
from sums
inner join sums as wholes on sums.cell = wholes.cell and wholes.dimension = 'all'
where sums.whole != wholes.whole or sums.part != wholes.part
