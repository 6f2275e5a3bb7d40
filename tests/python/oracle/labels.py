"""What codes are called: the labels of the seeds, read from their files."""

from pathlib import Path

from oracle.seeds import seed_rows

# file, type of its codes, column of codes
SEEDS = (
    ("age_bands", "age_band", "age_band"),
    ("ambassador_levels", "ambassador_level", "ambassador_level"),
    ("cadence_bands", "cadence_status", "cadence_status"),
    ("churn_reasons", "churn_reason", "reason_code"),
    ("churn_risk_bands", "risk_band", "risk_band"),
    ("contact_channels", "channel", "channel"),
    ("dimensions", "dimension", "dimension"),
    ("feedback_topic_labels", "feedback_topic", "topic"),
    ("hours_of_day", "hour_of_day", "hour_of_day"),
    ("kpis", "kpi", "kpi"),
    ("lifecycle_stages", "lifecycle_stage", "lifecycle_stage"),
    ("loyalty_tiers", "loyalty_tier", "tier"),
    ("unreliability_reasons", "unreliable_reason", "reason_code"),
    ("programme_metrics", "metric", "metric"),
    ("programme_traits", "trait", "trait"),
    ("retention_actions", "retention_action", "action"),
    ("rfm_segment_labels", "rfm_segment", "rfm_segment"),
    ("service_targets", "priority", "priority"),
    ("survey_response_groups", "response_group", "response_group"),
    ("weekdays", "weekday", "iso_weekday"),
)

Label = tuple[str, str]


class Labels:
    """The label of a code in English and Chinese, by the type of the code and the code."""

    def __init__(self, folder: Path) -> None:
        self._labels = {
            (row["code_type"], row["code"]): (row["label_en"], row["label_zh"])
            for row in seed_rows(folder, "code_labels")
        }
        # the reasons of the models name the limits
        [limits] = seed_rows(folder, "model_limits")
        for seed, code_type, column in SEEDS:
            for row in seed_rows(folder, seed):
                self._labels[code_type, row[column]] = (
                    row["label_en"].format_map(limits),
                    row["label_zh"].format_map(limits),
                )
        self._dimensions = {row["dimension"]: row["codes"] for row in seed_rows(folder, "dimensions")}

    @property
    def code_types(self) -> set[str]:
        """The types that have a label, `any` left out."""
        return {code_type for code_type, _ in self._labels} - {"any"}

    def type_of(self, code_type: str) -> str:
        """The type itself; for a dimension the type of its values, empty where they are names."""
        return self._dimensions.get(code_type, code_type)

    def find(self, code_type: str, code: str) -> Label | None:
        """The labels of a code; None where no seed has them."""
        return self._labels.get((self.type_of(code_type), code)) or self._labels.get(("any", code))
