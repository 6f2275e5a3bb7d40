with

champions as (
    select * from {{ ref('int_model_champions_current') }}
),

parameters as (
    select * from {{ ref('stg_model_parameters') }}
),

prediction_horizons as (
    select horizon_days from {{ ref('prediction_horizons') }}
),

used_parameters as (
    select
        parameters.horizon_days,
        parameters.target,
        parameters.parameter,
        parameters.value
    from parameters
    inner join champions
        on parameters.fit_id = champions.parameters_fit_id
        and parameters.target = champions.target
        and parameters.model_name = champions.model_name
),

-- a fit from before there were levels has none, and one from before cohorts differed knows no difference
final as (
    select
        prediction_horizons.horizon_days,
        {% for target in ['purchases', 'clv'] -%}
        coalesce(
            max(case when parameters.target = '{{ target }}' and parameters.parameter = 'level' then parameters.value end), 1e0
        ) as {{ target }}_level,
        max(case when parameters.target = '{{ target }}' and parameters.parameter = 'dispersion' then parameters.value end)
            as {{ target }}_dispersion,
        max(case when parameters.target = '{{ target }}' and parameters.parameter = 'relative_error' then parameters.value end)
            as {{ target }}_relative_error,
        coalesce(
            max(case when parameters.target = '{{ target }}' and parameters.parameter = 'cohort_error' then parameters.value end),
            0e0
        ) as {{ target }}_cohort_error,
        {% endfor -%}
        cast(
            max(case when parameters.target = 'purchases' and parameters.parameter = 'backtest_windows' then parameters.value end)
            as integer
        ) as backtest_windows
    from prediction_horizons
    left join used_parameters as parameters on prediction_horizons.horizon_days = parameters.horizon_days
    group by prediction_horizons.horizon_days
)

select * from final
