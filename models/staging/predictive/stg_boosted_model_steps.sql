with

steps as (
    select * from {{ source('predictive', 'steps') }}
),

final as (
    select
        fit_id,
        model_name,
        horizon_days,
        feature,
        from_value,
        below_value,
        score
    from steps
)

select * from final
