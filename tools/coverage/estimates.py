"""What is judged: the marts' estimates and intervals beside the truth, as SQL on a company in memory.

An interval of a sample is about the population that the company's customers are drawn from, so it is judged by the mean
of the truths of all companies of the sort, not by the truth of those very customers: the estimate shares their chance
with it, and an interval that covers that chance as well would seem to miss too rarely. An interval of a prediction is
about what these customers do, and is judged by what they did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from companies.sample.simulator.config import AS_OF, Config
from tools.coverage.judging import Outcome
from tools.coverage.models import CompiledModels
from tools.coverage.predictions import fit_predictions, store
from tools.coverage.simulated import Company

MARTS = ("cohort_clv", "nps", "points_liability", "programme_effect", "time_to_second_purchase")
# a cut with fewer responses says nothing that anybody would read
LEAST_RESPONSES = 20

# with {as_of}: what came after it, in whole horizons; money is worth less, the later the step of 30 days ends that it
# comes in
_FUTURE = """
    with customers as (
        select
            customer_id,
            substring(cast(date_trunc('month', min(purchase_on)) as varchar), 1, 7) as cohort
        from simulated.days
        where purchase_on <= date '{as_of}'
        group by customer_id
    ),

    came as (
        select
            customers.cohort,
            days.purchase_on - date '{as_of}' as days_after,
            days.net_revenue * power(
                1 + run_context.annual_discount_rate,
                -case when days_after > 330 then 365 else 30 * ceil(days_after / 30) end / 365
            ) as value
        from simulated.days as days
        inner join customers on days.customer_id = customers.customer_id
        cross join intermediate.run_context
        where days.purchase_on > date '{as_of}'
    ),

    actual as (
        select
            cohort_clv.cohort,
            cohort_clv.horizon_days,
            count(came.days_after) as purchases,
            coalesce(sum(came.value), 0) as clv
        from marts.cohort_clv as cohort_clv
        left join came
            on came.days_after <= cohort_clv.horizon_days
            and (cohort_clv.cohort = 'all' or came.cohort = cohort_clv.cohort)
        group by all
    )

    select
        cohort_clv.horizon_days || ' days',
        cohort_clv.horizon_days || ' days, ' || cohort_clv.cohort,
        predicted_{what}, predicted_{what}_low, predicted_{what}_high, actual.{what}
    from marts.cohort_clv as cohort_clv
    inner join actual using (cohort, horizon_days)
    where (cohort_clv.cohort = 'all') = {is_whole} and (cohort_clv.cohort = 'all' or predicted_purchases >= {least})
"""

_PROGRAMME = """
    with differences as (
        select
            known.horizon_days,
            known.{metric}_with - known.{metric}_{otherwise} as difference
        from intermediate.int_programme_pair_outcomes as pairs
        inner join (
            select
                customer_id, horizon_days,
                purchase_days_with, purchase_days_deferred, purchase_days_without,
                net_revenue_with, net_revenue_deferred, net_revenue_without,
                cast(churned_with as integer) as churn_with, cast(churned_deferred as integer) as churn_deferred,
                cast(churned_without as integer) as churn_without
            from truth.programme_members
        ) as known
            on pairs.member_customer_id = known.customer_id and pairs.horizon_days = known.horizon_days
        where not pairs.is_placebo
    ),

    truths as (
        select horizon_days, avg(difference) as truth from differences group by horizon_days
    )

    select
        mart.horizon_days || ' days', mart.horizon_days || ' days',
        mart.{prefix}effect, mart.{prefix}effect_low, mart.{prefix}effect_high, truths.truth
    from marts.programme_effect as mart
    inner join truths using (horizon_days)
    where mart.metric = '{metric}'
"""

_PLACEBO = """
    select horizon_days || ' days', horizon_days || ' days', placebo_effect, placebo_effect_low, placebo_effect_high, 0
    from marts.programme_effect
    where metric = 'purchase_days'
"""

_NPS = """
    select
        nps.dimension, nps.dimension || ' ' || nps.dimension_value,
        nps.weighted_nps, nps.weighted_nps_low, nps.weighted_nps_high, known.nps
    from marts.nps
    inner join truth.nps_segments as known using (period_grain, period_start, dimension, dimension_value)
    where
        nps.period_grain = 'quarter'
        and nps.period_start = date_trunc('quarter', date '{as_of}')
        and nps.responses >= {least}
        and (nps.dimension = 'all') = {is_whole}
"""

# the curve has a row for each day on which somebody bought again, and holds until the next
_SECOND_PURCHASE = """
    with known as (
        select days, avg(probability) as truth
        from truth.second_purchases
        where first_purchase_on <= date '{as_of}'
        group by days
    ),

    steps as (
        select
            known.days, known.truth,
            curve.repurchase_probability, curve.repurchase_probability_low, curve.repurchase_probability_high,
            row_number() over (partition by known.days order by curve.days desc) as place
        from known
        inner join marts.time_to_second_purchase as curve on curve.days <= known.days and curve.dimension = 'all'
    )

    select
        days || ' days', days || ' days',
        repurchase_probability, repurchase_probability_low, repurchase_probability_high, truth
    from steps
    where place = 1
"""

# of the points that were left then, by the months of expiry that have passed since
_POINTS = """
    with left_then as (
        select
            strftime(expires_on, '%Y-%m') as expiry_bucket,
            sum(case when use_type = 'redeem' then points else 0 end) as redeemed
        from truth.points_lots
        where
            issued_on <= date '{as_of}' and expires_on > date '{as_of}'
            and (used_on is null or greatest(used_on, issued_on) > date '{as_of}')
        group by all
    )

    select
        expiry_bucket, expiry_bucket,
        mart.expected_redeemed_points, mart.expected_redeemed_points_low, mart.expected_redeemed_points_high,
        left_then.redeemed
    from marts.points_liability as mart
    inner join left_then using (expiry_bucket)
    where not mart.is_past_expiry and expiry_bucket <= '{last_month}'
"""


@dataclass(frozen=True)
class Estimate:
    """An estimate that the report has a line for.

    Attributes:
        sql: gives a group of the estimate (a horizon, a dimension), a part of it that is one figure on one day, the
            estimate, low, high, and the truth of this company.
        is_of_population: judged by the mean truth of all companies, see above.
    """

    sql: str
    is_of_population: bool


def _programme(metric: str, prefix: str, otherwise: str) -> Estimate:
    return Estimate(_PROGRAMME.format(metric=metric, prefix=prefix, otherwise=otherwise), is_of_population=True)


def _totals(what: str, is_whole: str, least: int = 0) -> Estimate:
    sql = _FUTURE.replace("{what}", what).replace("{is_whole}", is_whole).replace("{least}", str(least))
    return Estimate(sql, is_of_population=False)


def _nps(is_whole: str) -> Estimate:
    sql = _NPS.replace("{is_whole}", is_whole).replace("{least}", str(LEAST_RESPONSES))
    return Estimate(sql, is_of_population=True)


ESTIMATES: Mapping[str, Estimate] = {
    "total of purchases": _totals("purchases", "true"),
    "total of CLV": _totals("clv", "true"),
    "purchases of a cohort": _totals("purchases", "false"),
    "CLV of a cohort": _totals("clv", "false"),
    **{
        f"programme, {label}": _programme(metric, "", "deferred")
        for metric, label in (("purchase_days", "purchase days"), ("net_revenue", "net revenue"), ("churn", "churn"))
    },
    **{
        f"programme weighted, {label}": _programme(metric, "weighted_", "without")
        for metric, label in (("purchase_days", "purchase days"), ("net_revenue", "net revenue"), ("churn", "churn"))
    },
    "programme, placebo": Estimate(_PLACEBO, is_of_population=True),
    "points expected to be redeemed": Estimate(_POINTS, is_of_population=False),
    "NPS of a quarter": _nps("true"),
    "NPS of a quarter, by segment": _nps("false"),
    "second purchase": Estimate(_SECOND_PURCHASE, is_of_population=True),
}


def measure(models: CompiledModels, config: Config, dates: Sequence[date]) -> list[Outcome]:
    """Every estimate of a company, at each of the as-of dates; `models` are those of MARTS."""
    with models.connect() as connection:
        company = Company(config, models, connection)
        company.follow_points()
        outcomes: list[Outcome] = []
        for as_of in dates:
            build(models, company, connection, as_of)
            outcomes += compare(connection, config.seed, as_of)
        return outcomes


def build(models: CompiledModels, company: Company, connection: duckdb.DuckDBPyConnection, as_of: date) -> None:
    """Make the marts as of a day."""
    company.know(as_of)
    store(connection, models.inputs, fit_predictions(company.purchases, as_of))
    models.run(connection)


def compare(connection: duckdb.DuckDBPyConnection, seed: int, as_of: date) -> list[Outcome]:
    """The estimates that the marts have beside the truth, those that state no interval among them."""
    outcomes = []
    for name, estimate in ESTIMATES.items():
        sql = estimate.sql.format(as_of=as_of, last_month=f"{AS_OF:%Y-%m}")
        for group, part, *figures, truth in connection.execute(sql).fetchall():
            if truth is not None:
                known = [float("nan")] * 3 if None in figures else map(float, figures)
                outcomes.append(Outcome(name, seed, as_of, group, part, *known, float(truth)))
    return outcomes
