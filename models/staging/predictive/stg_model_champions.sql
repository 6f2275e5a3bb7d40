with

champions as (
    select * from {{ source('predictive', 'champions') }}
),

final as (
    select
        fit_id,
        target,
        model_name,
        parameters_fit_id,
        is_seasonal,
        is_reliable,
        unreliable_reason
    from champions
)

select * from final
