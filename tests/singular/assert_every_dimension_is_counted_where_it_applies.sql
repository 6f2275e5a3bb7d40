with counted as (
    {% for applies_to, mart, measure in [
        ('customers', 'repurchase_rates', 'buyers'),
        ('customers', 'purchase_frequency', 'buyers'),
        ('customers', 'retention_monthly', 'active_customers'),
        ('customers', 'reactivation_monthly', 'lapsed_customers'),
        ('customers', 'time_to_second_purchase', 'events + censored'),
        ('surveys', 'nps', 'responses'),
        ('surveys', 'csat', 'responses'),
        ('surveys', 'ces', 'responses'),
        ('tickets', 'ticket_performance', 'tickets'),
    ] -%}
    select '{{ applies_to }}' as applies_to, '{{ mart }}' as mart, dimension, sum({{ measure }}) as counted
    from {{ ref(mart) }}
    group by dimension
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

-- a mart that has nothing to count has no dimensions either
counting_marts as (
    select applies_to, mart
    from counted
    group by applies_to, mart
    having sum(counted) > 0
),

-- the whole applies to everything, whatever the seed says
applicable as (
    {% for applies_to in ['customers', 'surveys', 'tickets'] -%}
    select '{{ applies_to }}' as applies_to, 'all' as dimension
    union all
    select '{{ applies_to }}' as applies_to, dimension
    from {{ ref('dimensions') }}
    where applies_to_{{ applies_to }} and dimension != 'all'
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

expected as (
    select counting_marts.applies_to, counting_marts.mart, applicable.dimension
    from counting_marts
    inner join applicable on counting_marts.applies_to = applicable.applies_to
)

select
    coalesce(expected.mart, counted.mart) as mart,
    coalesce(expected.dimension, counted.dimension) as dimension,
    case
        when counted.dimension is null
            then 'the seed dimensions says applies_to_' || expected.applies_to || ', but no column is named for it'
        else 'counted, but the seed dimensions does not say applies_to_' || counted.applies_to
    end as problem
from expected
full outer join counted on expected.mart = counted.mart and expected.dimension = counted.dimension
where expected.dimension is null or counted.dimension is null
