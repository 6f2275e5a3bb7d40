with counted as (
    {% for mart in ['nps', 'csat', 'ces'] -%}
    select '{{ mart }}' as survey_type, period_grain, sum(responses) as responses
    from {{ ref(mart) }}
    where dimension = 'all'
    group by period_grain
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

marked as (
    {% for grain in ['month', 'quarter', 'year', 'all'] -%}
    select
        survey_type,
        '{{ grain }}' as period_grain,
        count(*) filter (
            where survey_type != 'nps' or is_latest{{ '_of_' ~ grain if grain != 'all' }}
        ) as responses
    from {{ ref('survey_responses') }}
    group by survey_type
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    coalesce(counted.survey_type, marked.survey_type) as survey_type,
    coalesce(counted.period_grain, marked.period_grain) as period_grain,
    counted.responses as counted_responses,
    marked.responses as marked_responses
from counted
full outer join marked on counted.survey_type = marked.survey_type and counted.period_grain = marked.period_grain
where counted.responses is distinct from marked.responses
