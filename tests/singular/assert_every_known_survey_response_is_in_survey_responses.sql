with landed as (
    select
        responses.survey_type,
        count(*) as responses,
        sum(responses.score) as scores,
        sum(cast(coalesce(responses.weight, 1) as decimal(18, 4))) as weights,
        count(responses.comment) as comments
    from {{ ref('stg_survey_responses') }} as responses
    cross join {{ ref('run_context') }} as run_context
    where {{ business_day('responses.responded_at', 'run_context.business_timezone') }} <= run_context.as_of_date
    group by responses.survey_type
),

shown as (
    select
        survey_type,
        count(*) as responses,
        sum(score) as scores,
        sum(weight) as weights,
        count(*) filter (where has_comment) as comments
    from {{ ref('survey_responses') }}
    group by survey_type
)

select
    coalesce(landed.survey_type, shown.survey_type) as survey_type,
    landed.responses as landed_responses,
    shown.responses as shown_responses
from landed
full outer join shown on landed.survey_type = shown.survey_type
where
    landed.responses is distinct from shown.responses
    or landed.scores is distinct from shown.scores
    or landed.weights is distinct from shown.weights
    or landed.comments is distinct from shown.comments
