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
)

select *
from periods
where dimensions != 10 or wholes != 1 or fewest_responses != most_responses or fewest_favourable != most_favourable
