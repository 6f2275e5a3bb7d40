with cells as (
    {% for mart, favourable in [('nps', 'promoters'), ('csat', 'satisfied'), ('ces', 'satisfied')] -%}
    select
        '{{ mart }}' as mart,
        period_grain,
        period_start,
        dimension,
        sum(responses) as responses,
        sum({{ favourable }}) as favourable_responses
    from {{ ref(mart) }}
    group by period_grain, period_start, dimension
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

periods as (
    select
        mart,
        period_grain,
        period_start,
        count(*) as dimensions,
        count(*) filter (where dimension = 'all') as wholes,
        min(responses) as fewest_responses,
        max(responses) as most_responses,
        min(favourable_responses) as fewest_favourable,
        max(favourable_responses) as most_favourable
    from cells
    group by mart, period_grain, period_start
),

known as (
    select count(*) as dimensions
    from {{ ref('dimensions') }}
    where applies_to_surveys
)

select periods.*, known.dimensions as known_dimensions
from periods
cross join known
where
    periods.dimensions != known.dimensions
    or periods.wholes != 1
    or periods.fewest_responses != periods.most_responses
    or periods.fewest_favourable != periods.most_favourable
