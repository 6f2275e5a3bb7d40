with

parameters as (
    select * from {{ ref('stg_model_parameters') }}
),

fits as (
    select * from {{ ref('stg_model_fits') }}
),

champions as (
    select * from {{ ref('int_model_champions_current') }}
),

run_context as (
    select as_of_date, company_key from {{ ref('run_context') }}
),

known_fits as (
    select
        fits.fit_id,
        fits.as_of_date,
        fits.fitted_at
    from fits
    inner join run_context
        on fits.company_key = run_context.company_key
        and fits.as_of_date <= run_context.as_of_date
),

final as (
    select
        parameters.fit_id,
        parameters.target,
        parameters.model_name,
        parameters.horizon_days,
        parameters.parameter,
        known_fits.fitted_at,
        known_fits.as_of_date,
        parameters.value,
        parameters.standard_error,
        parameters.log_likelihood,
        parameters.customers,
        coalesce(
            parameters.model_name = champions.model_name
            or (parameters.model_name = 'season' and champions.is_seasonal)
            -- the champion of clv is named after its model of purchases; the spend is of Gamma-Gamma in any case
            or (parameters.model_name = 'gamma_gamma' and champions.model_name is not null),
            false
        ) as is_champion
    from parameters
    inner join known_fits on parameters.fit_id = known_fits.fit_id
    -- one champion per target
    left join champions
        on parameters.fit_id = champions.parameters_fit_id
        and parameters.target = champions.target
)

{{ select_with_labels('final') }}
