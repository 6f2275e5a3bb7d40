"""Every parameter of the simulated company. Days are whole numbers from FIRST_DAY, amounts CNY, rates per day."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

FIRST_DAY = date(2023, 7, 1)
AS_OF = date(2025, 12, 31)
# how far the purchases go on in secret, so that the truth knows the future
FUTURE_DAYS = 365

AS_OF_DAY = (AS_OF - FIRST_DAY).days
LAST_DAY = AS_OF_DAY + FUTURE_DAYS
# a day that never comes
NEVER = LAST_DAY + 1

SIZES = {"small": 3_000, "medium": 100_000, "large": 2_000_000}


class SampleError(Exception):
    """What was asked for cannot be made; the message says why and what to do."""


def day_number(day: date) -> int:
    """Days from FIRST_DAY to `day`."""
    return (day - FIRST_DAY).days


def date_of(day: int) -> date:
    """The date of a day number."""
    return FIRST_DAY + timedelta(days=int(day))


@dataclass(frozen=True)
class SeasonParameters:
    """Purchase intensity of a day, relative to an ordinary one; see season.py for the formula.

    Attributes:
        base: of an ordinary day; makes the mean of a year about 1.
        mild_amplitude: of the yearly sine, in shares of the base.
        november_peak: what 11 November adds.
        november_decay_days: days in which that falls by the factor e, on both sides, within 1 to 20 November.
        festival_dip: what is left of the intensity in the two weeks of the Spring Festival.
        festivals: first days of the lunar years; the dip is from 6 days before to 7 days after.
        gift_peak: what the two weeks before the dip add, in which gifts are bought: 20 to 7 days before a festival.
        month_factors: what the intensity of each month since FIRST_DAY is multiplied by; 1 where there are none. The
            same month of another year has another: weather, fashion, what competitors do.
    """

    base: float = 0.95
    mild_amplitude: float = 0.05
    november_peak: float = 3.0
    november_decay_days: float = 5.0
    festival_dip: float = 0.35
    festivals: tuple[date, ...] = (date(2024, 2, 10), date(2025, 1, 29), date(2026, 2, 17))
    gift_peak: float = 0.0
    month_factors: tuple[float, ...] = ()


@dataclass(frozen=True)
class AcquisitionChannel:
    """A channel that brings customers.

    Attributes:
        name: as the raw tables have it.
        share: of the registered customers.
        satisfaction: mean of the latent satisfaction of those it brings.
        response: probability that one of them answers a relationship survey.
    """

    name: str
    share: float
    satisfaction: float
    response: float


@dataclass(frozen=True)
class PeopleParameters:
    """Who the customers are.

    Attributes:
        channels: acquisition channels; shares add up to 1.
        guest_share: guests of the second system (persons who never registered), per registered customer.
        opening_share: of the registered, those who register in the `opening_days` after the shop opens, which is
            FIRST_DAY.
        growth: registrations of the others grow linearly to 1 + growth times those of the first day.
        buyer_share: of the registered, those who ever buy. Guests all do.
        same_day_share: of the buyers, those who first buy on the day on which they register.
        first_purchase_days: mean of the geometric delay of the others, in days.
        marketing_share: who may be sent campaigns.
        english_share: whose name and language are English.
        referral_tilt: weight of a buyer to be the one who referred somebody is exp(referral_tilt * satisfaction).
        deleted_share, erasure_share: of the registered, deleted by the master system, and asking to be forgotten.
    """

    channels: tuple[AcquisitionChannel, ...] = (
        AcquisitionChannel("store", 0.30, 0.3, 0.55),
        AcquisitionChannel("wechat", 0.25, 0.0, 0.45),
        AcquisitionChannel("paid_search", 0.18, -0.5, 0.25),
        AcquisitionChannel("social", 0.15, -0.8, 0.20),
        AcquisitionChannel("referral", 0.12, 0.8, 0.70),
    )
    guest_share: float = 0.05
    opening_share: float = 0.25
    opening_days: int = 90
    growth: float = 0.5
    buyer_share: float = 0.60
    same_day_share: float = 0.60
    first_purchase_days: float = 14.0
    marketing_share: float = 0.80
    english_share: float = 0.12
    referral_tilt: float = 0.8
    deleted_share: float = 0.004
    erasure_share: float = 0.004


@dataclass(frozen=True)
class PurchaseParameters:
    """The buy-till-you-die process; formulas in purchases.py.

    Attributes:
        rate_shape, rate_scale: purchase rate per day ~ Gamma(shape, scale), mean shape * scale.
        dropout_a, dropout_b: Beta distribution of the dropout probability before satisfaction tilts it.
        satisfaction_tilt: what one unit of satisfaction takes from the log-odds of dropping out.
        dropout_floor: nobody's dropout probability is less: floor + (1 - floor) * the tilted one.
        cohort_deviation: cohorts, by the month of the first purchase, differ in their rates by a factor of their own,
            whose logarithm has this standard deviation and whose mean is 1.
        bad_ticket_share: probability of a bad ticket at a base purchase, at satisfaction 0.
        bad_ticket_tilt: it is multiplied by exp(-tilt * satisfaction), and is at most `bad_ticket_limit`.
        bad_ticket_dropout: share of those who would have stayed who drop out because of a bad ticket.
        spend_shape: shape of the Gamma distribution of the spend of one purchase day.
        spend_mean_shape, spend_mean_scale: the customer's rate of that distribution ~ Gamma(shape, 1 / scale); the
            mean spend over customers is spend_shape * scale / (shape - 1).
        two_orders_share: of purchase days, those with two orders.
        partial_refund_share: of valid orders, those of which 10% to 60% is paid back within 10 days.
        cancelled_share, refunded_share: cancelled and fully refunded orders per valid order, which come on top.
    """

    rate_shape: float = 0.60
    rate_scale: float = 0.10
    dropout_a: float = 0.20
    dropout_b: float = 0.36
    satisfaction_tilt: float = 0.5
    dropout_floor: float = 0.0
    cohort_deviation: float = 0.0
    bad_ticket_share: float = 0.03
    bad_ticket_tilt: float = 0.4
    bad_ticket_limit: float = 0.30
    bad_ticket_dropout: float = 0.35
    spend_shape: float = 4.0
    spend_mean_shape: float = 4.0
    spend_mean_scale: float = 90.0
    two_orders_share: float = 0.04
    partial_refund_share: float = 0.03
    cancelled_share: float = 0.03
    refunded_share: float = 0.012


@dataclass(frozen=True)
class ProgrammeParameters:
    """The loyalty programme.

    Attributes:
        launch: first day on which it is offered.
        rate_effect: extra purchase days of a member come at rate_effect times the customer's own rate; 0 is a programme
            without any effect.
        is_offer_repeated: whether the offer comes at every purchase until it is accepted, not once.
        accept_multiplier: multiplies the probability of accepting an offer.
        accept_intercept, accept_purchases, accept_value: see programme.py.
        accept_limit: the probability of accepting is never more, so that everybody who accepts has a like who declines.
        tier_amounts: trailing spend in 365 days from which a member is of a tier, by the order of the seed
            loyalty_tiers.
        closed_share: of the members whose last purchase is 60 days ago, those who close the membership.
        redeem_share: of the orders of members with points for it, those with a redemption.
        redeem_step: points are redeemed in multiples of it.
        expiry_days: a lot expires so many days after it was earned.
        expiry_booked_share: of the lots past their date, those whose expiry the shop's system books.
        adjust_share: of the members, those with a movement of the type adjust.
        overdrawn_per_chunk: redemptions in a chunk that go beyond the balance.
    """

    launch: date = date(2024, 1, 1)
    rate_effect: float = 0.30
    is_offer_repeated: bool = False
    accept_multiplier: float = 1.0
    accept_intercept: float = -0.9
    accept_purchases: float = 2.0
    accept_value: float = 1.6
    accept_limit: float = 0.8
    tier_amounts: tuple[float, ...] = (0.0, 800.0, 2_000.0, 5_000.0, 12_000.0)
    closed_share: float = 0.06
    redeem_share: float = 0.15
    redeem_step: int = 100
    expiry_days: int = 365
    expiry_booked_share: float = 0.9
    adjust_share: float = 0.03
    overdrawn_per_chunk: int = 3


@dataclass(frozen=True)
class Campaign:
    """A campaign with a control arm.

    Attributes:
        extra_probability: a treated customer makes one extra purchase with this probability, on one of the days 1 to 13
            after the assignment, each as likely as the others.
    """

    name: str
    channel: str
    objective: str
    day: date
    extra_probability: float
    coupon_amount: float | None = None


@dataclass(frozen=True)
class CampaignParameters:
    """The campaigns.

    Attributes:
        target_share: of the customers who have bought before and may be sent campaigns, chosen at random for each.
        treatment_share: of the targeted, who are treated.
        extra_days: days after the assignment in which an extra purchase falls.
        conversion_days: within so many days a purchase counts as a conversion.
    """

    target_share: float = 0.15
    treatment_share: float = 0.5
    extra_days: int = 13
    conversion_days: int = 14
    campaigns: tuple[Campaign, ...] = (
        Campaign("双十一预热 Singles' Day warm-up", "sms", "repurchase", date(2023, 11, 2), 0.12),
        Campaign("新春礼盒 New Year gift box", "email", "repurchase", date(2024, 1, 15), 0.08, 20.0),
        Campaign("春茶上市 Spring harvest", "wechat", "repurchase", date(2024, 4, 8), 0.15),
        Campaign("会员日 Members' day", "app_push", "loyalty", date(2024, 6, 18), 0.06),
        Campaign("茶艺沙龙 Tea salon", "event", "loyalty", date(2024, 9, 6), 0.20),
        # moves nobody
        Campaign("问候短信 Just saying hello", "sms", "win_back", date(2024, 10, 9), 0.0),
        Campaign("双十一 Singles' Day", "email", "repurchase", date(2024, 11, 4), 0.10, 30.0),
        Campaign("好久不见 We miss you", "phone", "win_back", date(2025, 3, 11), 0.18),
        Campaign("夏日冷泡 Cold brew summer", "wechat", "repurchase", date(2025, 6, 10), 0.09),
        Campaign("中秋礼遇 Mid-Autumn", "direct_mail", "repurchase", date(2025, 9, 22), 0.05, 25.0),
    )


@dataclass(frozen=True)
class SurveyParameters:
    """Surveys: P(score <= k) = 1 / (1 + exp(-(cut_k - slope * satisfaction))), whenever it is asked.

    Attributes:
        wave_share: of the registered who were never asked, those whom a quarter's NPS wave asks.
        nps_cuts, csat_cuts, ces_cuts: one fewer than there are scores, rising.
        bad_ticket_shift: what a bad ticket takes from the satisfaction that answers for the ticket.
        anonymous_share: of the NPS answers, those that do not say whose they are.
        twice_share: of those who answer, those who answer again within days; both scores have the same distribution.
        csat_wave_share: of those asked for NPS, those asked for CSAT too.
        post_purchase_share, post_ticket_share: of orders and of resolved tickets, those followed by a survey.
        transactional_response: response to these, in shares of the response to relationship surveys.
        comment_share: of the answers, those with a comment.
    """

    wave_share: float = 0.35
    slope: float = 1.1
    nps_cuts: tuple[float, ...] = (-4.2, -3.8, -3.4, -3.0, -2.6, -2.1, -1.4, -0.8, -0.1, 1.2)
    csat_cuts: tuple[float, ...] = (-3.2, -2.3, -1.2, 0.9)
    ces_cuts: tuple[float, ...] = (-3.4, -2.6, -1.9, -1.2, -0.2, 1.2)
    bad_ticket_shift: float = 1.8
    anonymous_share: float = 0.02
    twice_share: float = 0.03
    csat_wave_share: float = 0.10
    post_purchase_share: float = 0.06
    post_ticket_share: float = 0.5
    transactional_response: float = 0.6
    comment_share: float = 0.45


@dataclass(frozen=True)
class TicketParameters:
    """Tickets. A bad one is a complaint, answered late; every complaint is one.

    Attributes:
        question_share: of valid orders, those followed by a question.
        stranger_share: questions of nobody known, per registered customer.
        response_hours, resolution_hours: medians of the times to answer, of a question and of a bad ticket.
        spread: standard deviation of their logarithm.
        unresolved_share: never resolved, of questions and of bad tickets.
        reopened: mean of the Poisson number of times reopened, of questions and of bad tickets.
        next_purchase_days: the truth about a ticket looks so many days ahead.
    """

    question_share: float = 0.04
    stranger_share: float = 0.02
    response_hours: tuple[float, float] = (2.0, 20.0)
    resolution_hours: tuple[float, float] = (16.0, 110.0)
    spread: float = 0.9
    unresolved_share: tuple[float, float] = (0.02, 0.18)
    reopened: tuple[float, float] = (0.05, 0.8)
    next_purchase_days: int = 90


@dataclass(frozen=True)
class TrafficSource:
    """A source of sessions, with the probabilities of the steps of the funnel, each given the one before."""

    name: str
    share: float
    view: float
    cart: float
    checkout: float
    purchase: float

    @property
    def conversion(self) -> float:
        """Probability that a session ends in a purchase."""
        return self.view * self.cart * self.checkout * self.purchase


@dataclass(frozen=True)
class WebParameters:
    """The web shop.

    Attributes:
        sources: shares are of the sessions that end in a purchase.
        known_share: of the sessions without a purchase, those on the device of a customer, others are of strangers.
        login_share: of the customers' sessions, those in which they log in.
    """

    sources: tuple[TrafficSource, ...] = (
        TrafficSource("direct", 0.30, 0.75, 0.40, 0.60, 0.70),
        TrafficSource("search", 0.30, 0.65, 0.30, 0.55, 0.65),
        TrafficSource("email", 0.15, 0.80, 0.45, 0.60, 0.72),
        TrafficSource("social", 0.10, 0.50, 0.25, 0.45, 0.60),
        TrafficSource("ads", 0.15, 0.55, 0.28, 0.50, 0.60),
    )
    known_share: float = 0.5
    login_share: float = 0.5


@dataclass(frozen=True)
class IdentityParameters:
    """The till of the stores (`pos`) has ids of its own.

    Attributes:
        linked_share: of the registered buyers with a store order, those with an id of the till.
        order_share: of their store orders, those that carry it.
        conflicts_per_chunk: ids of the till that give a phone number which two registered customers share.
        placeholder_share: of the registered, those whose phone is the one that clerks type to fill the field.
        links: shares of the ways in which an id is linked, named as in truth/identities.parquet.
    """

    linked_share: float = 0.25
    order_share: float = 0.6
    conflicts_per_chunk: int = 4
    placeholder_share: float = 0.003
    links: tuple[tuple[str, float], ...] = (
        ("customer_id", 0.25),
        ("email", 0.22),
        ("phone", 0.28),
        ("anonymous_id", 0.10),
        ("transitive", 0.15),
    )


@dataclass(frozen=True)
class DirtParameters:
    """Rows of a late batch, per row of the table: at least one of each kind in a chunk, none where the share is 0.

    Attributes:
        late_share: sound rows that come in the late batch only.
        repeated_share: rows that come again, in an older version where the table has versions.
        broken_share: broken rows, of each reason.
        broken_limit: the most broken rows of a reason in a chunk.
    """

    late_share: float = 0.004
    repeated_share: float = 0.003
    broken_share: float = 0.0004
    broken_limit: int = 20


@dataclass(frozen=True)
class Config:
    """A simulated company.

    Attributes:
        customers: registered customers.
        seed: the same seed gives the same company.
        chunk_customers: registered customers that are in memory at a time. The random numbers of a chunk depend on
            the seed, the place of the chunk and its size alone.
    """

    customers: int
    seed: int = 1
    chunk_customers: int = 20_000
    season: SeasonParameters = field(default_factory=SeasonParameters)
    people: PeopleParameters = field(default_factory=PeopleParameters)
    purchases: PurchaseParameters = field(default_factory=PurchaseParameters)
    programme: ProgrammeParameters = field(default_factory=ProgrammeParameters)
    campaigns: CampaignParameters = field(default_factory=CampaignParameters)
    surveys: SurveyParameters = field(default_factory=SurveyParameters)
    tickets: TicketParameters = field(default_factory=TicketParameters)
    web: WebParameters = field(default_factory=WebParameters)
    identities: IdentityParameters = field(default_factory=IdentityParameters)
    dirt: DirtParameters = field(default_factory=DirtParameters)

    @property
    def chunks(self) -> list[int]:
        """Registered customers of each chunk."""
        whole, rest = divmod(self.customers, self.chunk_customers)
        return [self.chunk_customers] * whole + ([rest] if rest else [])


def customers_of(size: str | int) -> int:
    """The number of registered customers of a size, by name or as a number.

    Raises:
        SampleError: there is no such size.
    """
    if isinstance(size, str) and size in SIZES:
        return SIZES[size]
    try:
        customers = int(size)
    except (TypeError, ValueError):
        customers = 0
    if customers < 1:
        raise SampleError(f'There is no size "{size}". Use {", ".join(SIZES)}, or a number of customers from 1 up.')
    return customers
