with

parameters as (
    select * from {{ source('predictive', 'parameters') }}
),

final as (
    select
        fit_id,
        target,
        model_name,
        horizon_days,
        parameter,
        value,
        standard_error,
        log_likelihood,
        customers
    from parameters
)

select * from final
