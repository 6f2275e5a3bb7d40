"""What the models read of a simulated company in memory, as of any day, and the truth of it.

The rows are those that the company's raw files would have, without the dirt. What comes after the day is left out, but
for refunds: those paid after an earlier day are known already, where a build would count them once they are paid.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

import duckdb
import numpy as np

from companies.sample.simulator import truth
from companies.sample.simulator.config import AS_OF, AS_OF_DAY, Config
from companies.sample.simulator.customer_chunk import Chunk, Shopping, draw_chunk
from companies.sample.simulator.purchases import draw_spend
from companies.sample.simulator.random_streams import stream
from companies.sample.simulator.raw_tables import (
    Numbering,
    points_table,
    survey_invitations_table,
    survey_responses_table,
)
from companies.sample.simulator.season import Season
from companies.sample.simulator.tables import Table, counts, create_table, dates, decimals, doubles, take, texts
from orchestration.settings import COMPANY, Settings, load_settings
from tools.coverage.models import CompiledModels

_SETTINGS = ("lapsed_days", "annual_discount_rate", "cadence_prior_intervals", "point_value")

# what stands in `simulated` as of the day of run_context, by the model that a build would have made of it
_KNOWN = {
    "int_customer_days_summed": "select * from simulated.days where purchase_on <= date '{as_of}'",
    "int_programme_enrolments_listed": "select * from simulated.enrolments where enrolled_on <= date '{as_of}'",
    "stg_survey_responses": "from simulated.responses",
    "int_survey_invitations_resolved": """
        select
            invitation_id, customer_id, "trigger" as survey_trigger, order_id, ticket_id,
            cast(sent_at + interval 8 hour as date) as sent_on
        from simulated.invitations
        where cast(sent_at + interval 8 hour as date) <= date '{as_of}'
    """,
    "int_survey_dimensions_listed": "from simulated.survey_dimensions",
    "int_customer_aliases_listed": "select '' as alias_id, '' as customer_id where false",
    "int_customer_dimensions_listed": """
        select customer_id, 'all' as dimension, 'all' as dimension_value
        from simulated.days where purchase_on <= date '{as_of}' group by customer_id
    """,
    "stg_points_transactions": "select * replace (cast(points as decimal(18, 4)) as points) from simulated.movements",
    "int_membership_versions_dated": """
        select member_id, member_id as customer_id, null as valid_to from simulated.movements group by member_id
    """,
    "int_code_labels": "select '' as code_type, '' as code, '' as label_en, '' as label_zh where false",
    "int_customer_features": """
        select
            date '{as_of}' as as_of_date,
            customer_id,
            count(*) - 1 as repeat_purchase_days,
            max(purchase_on) - min(purchase_on) as recency_days_btyd,
            date '{as_of}' - min(purchase_on) as tenure_days,
            cast(
                (sum(net_revenue) - arg_min(net_revenue, purchase_on)) / nullif(count(*) - 1, 0) as decimal(18, 4)
            ) as repeat_net_revenue_per_purchase_day
        from simulated.days
        where purchase_on <= date '{as_of}'
        group by customer_id
    """,
}
INPUTS = ("run_context", "stg_model_parameters", "int_model_champions_current", *_KNOWN)


@dataclass(frozen=True)
class Purchases:
    """Every purchase day, those after the simulator's as-of date too; sorted by person and day.

    Attributes:
        person: place of the person among those who ever buy.
        day: days since FIRST_DAY.
        net_revenue: CNY; after the simulator's as-of date a spend is drawn that nobody has refunded a part of, times
            what refunds leave on average.
    """

    person: np.ndarray
    day: np.ndarray
    net_revenue: np.ndarray


class Company:
    """A company in a DuckDB connection: the schema `simulated` holds what happens, `truth` what is known of it."""

    def __init__(self, config: Config, models: CompiledModels, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._models = models
        season = Season(config.season)
        (registered,) = config.chunks
        chunk = draw_chunk(config, season, 0, registered, 1, 0)
        self.purchases = _purchases(config, chunk.shopping)
        connection.execute("create schema simulated; create schema truth")
        for name, table in _tables(config, chunk, self.purchases).items():
            create_table(connection, f"simulated.{name}", table)
        for name, table in _truths(config, season, chunk).items():
            create_table(connection, f"truth.{name}", table)

    def follow_points(self) -> None:
        """Make truth.points_lots: what became of every lot of points by the simulator's as-of date."""
        self.know(AS_OF)
        for name in ("int_points_movements_ordered", "int_points_lots_consumed"):
            self._models.run(self._connection, name)
        self._connection.execute("create table truth.points_lots as from intermediate.int_points_lots_consumed")

    def know(self, as_of: date) -> None:
        """Make the inputs of the models as they are known on that day, but for those of the predictions."""
        variable = company_settings().variable
        settings = ", ".join(f"cast({variable(name)} as decimal(18, 8)) as {name}" for name in _SETTINGS)
        context = (
            f"select date '{as_of}' as as_of_date, '{variable('business_timezone')}' as business_timezone, {settings}"
        )
        for name, sql in {"run_context": context, **_KNOWN}.items():
            self._connection.execute(
                f"create or replace table {self._models.inputs[name]} as {sql.format(as_of=as_of)}"
            )


@cache
def company_settings() -> Settings:
    """Those of the company that is simulated."""
    return load_settings({COMPANY: "sample"})


def _purchases(config: Config, shopping: Shopping) -> Purchases:
    days = shopping.days
    later = days.day > AS_OF_DAY
    net = truth.net_by_day(days, shopping.orders)
    random = stream(config.seed, 0, "spend to come")
    spend = draw_spend(config.purchases, shopping.people.latents.spend_rate[days.person[later]], random) / 100
    # the mean of what an order brings after refunds, over what it brings before
    kept = truth.expected_spend(config, shopping.people) * shopping.people.latents.spend_rate
    net[later] = spend * kept[days.person[later]] / config.purchases.spend_shape
    return Purchases(days.person, days.day, np.round(net, 2))


def _tables(config: Config, chunk: Chunk, purchases: Purchases) -> dict[str, Table]:
    shopping, numbers = chunk.shopping, Numbering().of(chunk)
    people, days, offers = shopping.people, shopping.days, shopping.offers
    members = np.flatnonzero(offers.enrolled_on <= AS_OF_DAY)
    answers = survey_responses_table(people, chunk.responses, numbers)
    listed = truth.dimensions_of(config, people, chunk.responses.person)
    is_unnamed = chunk.responses.is_anonymous
    values = [np.where(is_unnamed & (name != "all"), "unknown", of) for name, of in listed.items()]
    return {
        "days": {
            "customer_id": truth.person_ids(people, days.person),
            "purchase_on": dates(days.day),
            "orders": counts(truth.sum_by_day(days, shopping.orders, np.full(len(shopping.orders), 100))),
            "net_revenue": decimals(purchases.net_revenue),
            "margin_amount": decimals(purchases.net_revenue),
            "discount_amount": decimals(_discounts(chunk)),
        },
        "enrolments": {
            "customer_id": truth.person_ids(people, members),
            "enrolled_on": dates(offers.enrolled_on[members]),
        },
        "invitations": survey_invitations_table(people, chunk.invitations, numbers),
        "responses": answers,
        "survey_dimensions": {
            "response_id": take(answers, np.tile(np.arange(len(chunk.responses)), len(listed)))["response_id"],
            "dimension": texts(np.repeat(np.array(list(listed), dtype=object), len(chunk.responses))),
            "dimension_value": texts(np.concatenate(values)),
        },
        "movements": points_table(people, chunk.points, numbers),
    }


def _discounts(chunk: Chunk) -> np.ndarray:
    """Discounts of each purchase day up to the simulator's as-of date in CNY, those of coupons too."""
    discounts = np.maximum(chunk.shopping.orders.discount, 0)
    discounts[chunk.coupons.used_order] += chunk.coupons.used_face
    return truth.sum_by_day(chunk.shopping.days, chunk.shopping.orders, discounts)


def _truths(config: Config, season: Season, chunk: Chunk) -> dict[str, Table]:
    shopping = chunk.shopping
    people = shopping.people
    nps = truth.NpsTruth()
    nps.add(config, people, chunk.invitations)
    buyers = np.flatnonzero(people.first_day <= AS_OF_DAY)
    chances = truth.second_purchase_probabilities(config, shopping, season)
    return {
        "programme_members": truth.programme_truth(people, shopping.offers, shopping.days, shopping.orders),
        "nps_segments": nps.table(),
        "second_purchases": {
            "first_purchase_on": dates(np.tile(people.first_day[buyers], len(chances))),
            "days": counts(np.repeat(list(chances), len(buyers))),
            "probability": doubles(np.concatenate([chance[buyers] for chance in chances.values()])),
        },
    }
