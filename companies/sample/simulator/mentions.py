"""Public mentions of the brand. They are told by nobody in particular: nothing depends on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import Config
from .orders import AS_OF_SECOND
from .people import People
from .phrases import MENTIONS
from .random_streams import pick, stream
from .tables import DAY_SECONDS, NONE

PLATFORMS = ("weibo", "xiaohongshu", "wechat", "other")
_SHARE, _KNOWN_SHARE = 0.06, 0.4


@dataclass(frozen=True)
class Mentions:
    """Mentions by time in local seconds; `person` is NONE where nobody knows who wrote."""

    person: np.ndarray
    platform: np.ndarray
    handle: np.ndarray
    text: np.ndarray
    likes: np.ndarray
    posted: np.ndarray

    def __len__(self) -> int:
        return len(self.person)


def draw_mentions(config: Config, chunk: int, people: People) -> Mentions:
    """Some per registered customer, later than they registered."""
    random = stream(config.seed, chunk, "mentions")
    count = round(_SHARE * people.registered)
    person = random.integers(0, max(people.registered, 1), count)
    begins = (people.registered_day[person] + 1) * DAY_SECONDS
    posted = begins + (random.random(count) * (AS_OF_SECOND - begins)).astype(np.int64)
    is_known = random.random(count) < _KNOWN_SHARE
    columns = (
        np.where(is_known, person, NONE),
        pick(random, (0.35, 0.4, 0.2, 0.05), count),
        people.till_numbers[person],
        random.integers(0, len(MENTIONS), count),
        random.geometric(0.03, count) - 1,
        posted,
    )
    order = np.argsort(posted, kind="stable")
    order = order[(posted[order] <= AS_OF_SECOND) & (posted[order] >= begins[order])]
    return Mentions(*(column[order] for column in columns))
