with

features as (
    select * from {{ ref('int_customer_features') }}
),

-- Counts and amounts are taken by their logarithm: a tenth purchase says less than a second. The columns and their order are those of
-- CHURN_FEATURES, by whose names the weights and steps of the models are stored.
final as (
    select
        as_of_date,
        customer_id,
        ln(1e0 + days_since_last_purchase) as log_days_since_last_purchase,
        ln(1e0 + tenure_days) as log_tenure_days,
        ln(1e0 + repeat_purchase_days) as log_repeat_purchase_days,
        -- days since the last purchase over the own interval, to which 90 days are added once so that one-time buyers have one too
        ln(1e0 + days_since_last_purchase / ((recency_days_btyd + 90e0) / (repeat_purchase_days + 1e0))) as log_overdue_ratio,
        case when repeat_purchase_days = 0 then 1e0 else 0e0 end as is_one_time_buyer,
        ln(1e0 + purchase_days_30d) as log_purchase_days_30d,
        ln(1e0 + purchase_days_90d) as log_purchase_days_90d,
        ln(1e0 + purchase_days_previous_90d) as log_purchase_days_previous_90d,
        ln(1e0 + purchase_days_365d) as log_purchase_days_365d,
        ln(1e0 + greatest(0e0, cast(net_revenue_365d as double))) as log_net_revenue_365d,
        ln(
            1e0 + greatest(0e0, cast(net_revenue_to_date as double) / (repeat_purchase_days + 1e0))
        ) as log_spend_per_purchase_day,
        cast(coalesce(nps_score, 0) as double) as nps_score_or_zero,
        case when nps_score is null then 0e0 else 1e0 end as has_nps_score,
        ln(1e0 + tickets_180d) as log_tickets_180d,
        case when is_programme_member then 1e0 else 0e0 end as is_programme_member
    from features
)

select * from final
