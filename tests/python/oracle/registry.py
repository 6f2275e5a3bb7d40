"""How each published mart is computed a second time, or by which test it is held where there is nothing to compute.

`COMPUTED`: a function of this package computes the rows of the mart from raw rows and the definitions, and the named
test compares them. `HELD`: the mart states what a fit or the reader of files has found, shows figures of other marts,
or is the old name of another, so there is no definition to compute it from; the named test holds it to that.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """A test file and a test of it, and the function of this package that it compares with, as `module.function`."""

    file: str
    test: str
    by: str = ""


def _computed(file: str, test: str, *functions: str) -> dict[str, Held]:
    """The marts that the functions are named after, all compared by one test."""
    return {function.split(".")[1]: Held(file, test, function) for function in functions}


COMPUTED: dict[str, Held] = {
    **_computed(
        "test_oracle_worlds.py",
        "test_a_mart_of_random_companies_agrees_with_the_oracle",
        "orders.customers",
        "orders.orders",
        "orders.purchase_frequency",
        "repurchase.repurchase_rates",
        "repurchase.cohort_repurchase",
        "repurchase.time_to_second_purchase",
        "retention.cohort_retention",
        "retention.retention_monthly",
        "rfm.customer_rfm",
        "rfm.rfm_segment_transitions",
        "cadence.customer_cadence",
        "lifecycle.customer_lifecycle",
        "lifecycle.lifecycle_transitions",
        "lifecycle.growth_accounting",
        "lifecycle.reactivation_monthly",
    ),
    **_computed(
        "test_products.py",
        "test_a_mart_of_products_and_hours_agrees_with_its_definition",
        "products.order_items",
        "products.product_performance",
        "products.purchase_times",
    ),
    **_computed(
        "test_satisfaction.py",
        "test_a_mart_of_satisfaction_agrees_with_the_oracle",
        "satisfaction.survey_responses",
        "satisfaction.nps",
        "satisfaction.csat",
        "satisfaction.ces",
        "satisfaction.survey_response_rates",
        "satisfaction.survey_invitations_unanswered",
        "satisfaction.nps_repurchase",
    ),
    **_computed(
        "test_loyalty.py",
        "test_a_loyalty_mart_holds_what_the_definitions_give",
        "loyalty.memberships",
        "loyalty.tier_monthly",
        "loyalty.tier_transitions",
        "loyalty.points_movements",
        "loyalty.points_balances",
        "loyalty.points_monthly",
        "loyalty.points_liability",
    ),
    **_computed("test_service.py", "test_tickets_agree_with_their_definition", "service.tickets"),
    **_computed("test_service.py", "test_ticket_performance_agrees_with_its_definition", "service.ticket_performance"),
    **_computed("test_service.py", "test_feedback_topics_agree_with_where_phrases_stand", "service.feedback_topics"),
    **_computed("test_engagement.py", "test_referrals_agree_with_their_definition", "service.referrals"),
    **_computed("test_engagement.py", "test_ambassadors_agree_with_their_definition", "service.ambassadors"),
    **_computed(
        "test_engagement.py", "test_social_mentions_agree_with_their_definition", "service.social_mentions_daily"
    ),
    **_computed(
        "test_oracle_worlds.py", "test_the_cohorts_of_cdnow_are_worth_what_their_customers_are", "value.cohort_clv"
    ),
    # history by the oracle; what is predicted, by SciPy in test_predictive_scoring.py
    **_computed(
        "test_oracle_worlds.py", "test_a_mart_of_random_companies_agrees_with_the_oracle", "orders.customer_clv"
    ),
    **_computed(
        "test_oracle_worlds.py", "test_the_warnings_of_random_companies_agree_with_the_oracle", "orders.order_warnings"
    ),
    # who stands for whom, and who is in conflict
    "customer_identities": Held(
        "test_identities.py", "test_every_id_stands_for_whom_the_claims_in_order_say", "identities.resolve"
    ),
    "identity_conflicts": Held(
        "test_identities.py",
        "test_whoever_shares_a_detail_with_somebody_elses_customer_is_reported",
        "identities.resolve",
    ),
    # from the pairs on, which are tested to be alike and as many as can be
    "programme_effect": Held("test_programme_effect.py", "test_the_effect_is_what_the_purchases_of_the_pairs_give"),
    "programme_balance": Held("test_programme_effect.py", "test_the_balance_is_that_of_the_occasions_and_pairs"),
    "ticket_effect": Held(
        "test_service.py",
        "test_the_effect_of_a_ticket_is_the_mean_difference_of_its_pairs",
        "service.effect_of_pairs",
    ),
    "kpi_scorecard": Held(
        "test_scorecard.py", "test_the_scorecard_agrees_with_its_definition", "scorecard.kpi_scorecard"
    ),
    # from the parameters on, with features counted from raw rows
    "customer_churn_risk": Held(
        "test_churn_risk.py", "test_the_probability_of_a_boosted_champion_is_that_of_python_and_decides_the_rest"
    ),
}

HELD: dict[str, Held] = {
    # what a fit has found; the fits are held to published parameters and to simulated truth in test_predictive_*.py
    "model_parameters": Held("test_oracle_worlds.py", "test_a_mart_of_models_shows_what_the_fit_has_stored"),
    "model_backtests": Held("test_oracle_worlds.py", "test_a_mart_of_models_shows_what_the_fit_has_stored"),
    # figures of other marts, which are computed a second time themselves
    "kpi_actuals": Held("test_scorecard.py", "test_each_kpi_is_the_figure_of_its_mart"),
    # the old name of a mart
    "rfm_segment_migration": Held("test_oracle_worlds.py", "test_a_mart_has_the_same_rows_under_its_old_name"),
    # what was wrong with raw rows that were broken on purpose
    "rejected_rows": Held("test_raw_company.py", "test_a_row_that_breaks_one_rule_is_rejected_for_it"),
    "repaired_values": Held(
        "test_raw_contract_worlds.py", "test_what_cannot_be_read_in_an_optional_column_costs_the_value_alone"
    ),
    "key_conflicts": Held(
        "test_landing_key_conflicts.py", "test_rows_of_one_key_that_are_no_versions_of_one_thing_are_counted"
    ),
    "row_reconciliation": Held("test_raw_contract_worlds.py", "test_every_row_read_is_accounted_for"),
}
