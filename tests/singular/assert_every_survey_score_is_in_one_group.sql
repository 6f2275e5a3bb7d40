with scores as (
    {% for survey_type, lowest, highest in [('nps', 0, 10), ('csat', 1, 5), ('ces', 1, 7)] -%}
    {% set is_last_survey = loop.last -%}
    {% for score in range(lowest, highest + 1) -%}
    select '{{ survey_type }}' as survey_type, {{ score }} as score
    {% if not (loop.last and is_last_survey) %}union all{% endif %}
    {% endfor -%}
    {% endfor %}
),

grouped_scores as (
    select
        scores.survey_type,
        scores.score,
        count(response_groups.response_group) as response_groups
    from scores
    left join {{ ref('survey_response_groups') }} as response_groups
        on scores.survey_type = response_groups.survey_type
        and scores.score between response_groups.from_score and response_groups.to_score
    group by scores.survey_type, scores.score
),

directions as (
    select survey_type, direction, count(*) as response_groups
    from {{ ref('survey_response_groups') }}
    group by survey_type, direction
)

select survey_type, score, response_groups
from grouped_scores
where response_groups != 1
union all
select survey_type, direction as score, response_groups
from directions
where response_groups != 1
