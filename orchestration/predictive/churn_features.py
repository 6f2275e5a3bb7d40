"""What the supervised churn models look at."""

from __future__ import annotations

# the columns of int_churn_inputs_prepared after its key, in their order there
CHURN_FEATURES: tuple[str, ...] = (
    "log_days_since_last_purchase",
    "log_tenure_days",
    "log_repeat_purchase_days",
    "log_overdue_ratio",
    "is_one_time_buyer",
    "log_purchase_days_30d",
    "log_purchase_days_90d",
    "log_purchase_days_previous_90d",
    "log_purchase_days_365d",
    "log_net_revenue_365d",
    "log_spend_per_purchase_day",
    "nps_score_or_zero",
    "has_nps_score",
    "log_tickets_180d",
    "is_programme_member",
)
