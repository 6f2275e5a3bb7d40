with

champions as (
    select * from {{ ref('int_model_champions_current') }}
),

parameters as (
    select * from {{ ref('stg_model_parameters') }}
),

steps as (
    select * from {{ ref('stg_boosted_model_steps') }}
),

-- a buy-till-you-die model has no terms; what its parameters are for is in int_churn_probabilities_scored
champion as (
    select model_name, parameters_fit_id from champions
    where target = 'churn' and model_name in ('logistic', 'gradient_boosting')
),

-- a weight holds for every value of its feature
weights as (
    select
        parameters.horizon_days,
        substring(parameters.parameter, 8) as feature,
        cast(null as double) as from_value,
        cast(null as double) as below_value,
        parameters.value as weight,
        cast(null as double) as score
    from parameters
    inner join champion
        on parameters.fit_id = champion.parameters_fit_id
        and parameters.model_name = champion.model_name
    where parameters.target = 'churn' and parameters.parameter like 'weight%'
),

champion_steps as (
    select
        steps.horizon_days,
        steps.feature,
        steps.from_value,
        steps.below_value,
        cast(null as double) as weight,
        steps.score
    from steps
    inner join champion
        on steps.fit_id = champion.parameters_fit_id
        and steps.model_name = champion.model_name
),

final as (
    select * from weights
    union all
    select * from champion_steps
)

select * from final
