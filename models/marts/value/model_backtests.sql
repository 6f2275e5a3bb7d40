with

backtests as (
    select * from {{ ref('stg_model_backtests') }}
),

fits as (
    select * from {{ ref('stg_model_fits') }}
),

champions as (
    select * from {{ ref('stg_model_champions') }}
),

run_context as (
    select as_of_date, company_key from {{ ref('run_context') }}
),

known_fits as (
    select
        fits.fit_id,
        fits.as_of_date,
        fits.fitted_at,
        row_number() over (
            order by fits.as_of_date desc nulls last, fits.fitted_at desc nulls last, fits.fit_id desc nulls last
        ) = 1 as is_latest
    from fits
    inner join run_context
        on fits.company_key = run_context.company_key
        and fits.as_of_date <= run_context.as_of_date
    where fits.status = 'fitted'
),

final as (
    select
        backtests.fit_id,
        backtests.model_name,
        backtests.target,
        backtests.cut_date,
        backtests.horizon_days,
        known_fits.fitted_at,
        known_fits.as_of_date,
        backtests.customers,
        backtests.predicted_total,
        backtests.actual_total,
        backtests.total_error,
        backtests.auc,
        backtests.brier,
        backtests.ece,
        backtests.top_decile_lift,
        backtests.spearman,
        backtests.normalised_gini,
        backtests.is_baseline,
        -- by the refit that made the backtest, not by a later one
        coalesce(backtests.model_name = champions.model_name, false) as is_champion,
        known_fits.is_latest
    from backtests
    inner join known_fits on backtests.fit_id = known_fits.fit_id
    -- one champion per refit and target
    left join champions
        on backtests.fit_id = champions.fit_id
        and backtests.target = champions.target
)

{{ select_with_labels('final') }}
