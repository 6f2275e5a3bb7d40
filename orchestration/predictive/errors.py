"""Why a model was not fitted, or is not relied on."""

from __future__ import annotations

from orchestration.errors import StickinessError

TOO_FEW_CUSTOMERS = "too_few_customers"
HISTORY_TOO_SHORT = "history_too_short"
NOT_CONVERGED = "not_converged"
WORSE_THAN_BASELINE = "worse_than_baseline"
NO_BACKTEST = "no_backtest"
TOO_FEW_REPEAT_BUYERS = "too_few_repeat_buyers"
NOBODY_CHURNED = "nobody_churned"
EVERYBODY_CHURNED = "everybody_churned"
ALL_ALIKE = "all_alike"


class FitError(StickinessError):
    """The data does not carry the model. `code` is a reason code of the seed `unreliability_reasons`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
