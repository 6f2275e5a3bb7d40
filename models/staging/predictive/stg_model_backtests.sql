with

backtests as (
    select * from {{ source('predictive', 'backtests') }}
),

final as (
    select
        fit_id,
        model_name,
        target,
        cut_date,
        horizon_days,
        customers,
        predicted_total,
        actual_total,
        total_error,
        auc,
        brier,
        ece,
        top_decile_lift,
        spearman,
        normalised_gini,
        is_baseline
    from backtests
)

select * from final
