"""What the shop sells: teas, tea ware, snacks and gifts, named in Chinese and English."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

_KINDS: tuple[tuple[str, str, str, float, tuple[tuple[str, str], ...]], ...] = (
    # category, subcategory, brand, price of the first, kinds
    (
        "green_tea",
        "loose_leaf",
        "Lanting",
        28.0,
        (("西湖龙井", "Longjing"), ("碧螺春", "Biluochun"), ("黄山毛峰", "Maofeng")),
    ),
    (
        "black_tea",
        "loose_leaf",
        "Lanting",
        26.0,
        (("正山小种", "Lapsang Souchong"), ("祁门红茶", "Keemun"), ("滇红", "Dianhong")),
    ),
    (
        "oolong",
        "loose_leaf",
        "Lanting",
        32.0,
        (("铁观音", "Tieguanyin"), ("大红袍", "Da Hong Pao"), ("凤凰单丛", "Dancong")),
    ),
    (
        "white_tea",
        "loose_leaf",
        "Lanting",
        36.0,
        (("白毫银针", "Silver Needle"), ("白牡丹", "White Peony"), ("寿眉", "Shoumei")),
    ),
    (
        "pu_er",
        "cake",
        "Yunling",
        45.0,
        (("普洱生茶", "Raw Pu'er"), ("普洱熟茶", "Ripe Pu'er"), ("小青柑", "Tangerine Pu'er")),
    ),
    (
        "scented_tea",
        "tea_bags",
        "Lanting",
        12.0,
        (("茉莉花茶", "Jasmine"), ("桂花乌龙", "Osmanthus Oolong"), ("玫瑰红茶", "Rose Black")),
    ),
    ("drinks", "cold_brew", "Lanting", 9.0, (("冷泡茶", "Cold Brew"), ("柠檬茶", "Lemon Tea"), ("奶茶", "Milk Tea"))),
    ("tea_ware", "ceramics", "Qingyao", 39.0, (("盖碗", "Gaiwan"), ("茶壶", "Teapot"), ("品茗杯", "Tasting Cup"))),
    (
        "snacks",
        "pastry",
        "Lanting",
        8.0,
        (("绿豆糕", "Mung Bean Cake"), ("桃酥", "Walnut Cookie"), ("山楂糕", "Hawthorn Jelly")),
    ),
    ("gifts", "gift_box", "Lanting", 88.0, (("礼盒", "Gift Box"), ("茶礼", "Tea Set"), ("节庆礼盒", "Festival Box"))),
)
_SIZES = (("小", "small", 1.0), ("中", "medium", 2.1), ("大", "large", 3.9), ("典藏", "collection", 8.5))
COST_SHARE = 0.45


@dataclass(frozen=True)
class Products:
    """The products, cheapest first.

    Attributes:
        price: cents, shape (products,).
        unit_cost: cents.
        popularity: sums of weights up to and with each product.
    """

    names: tuple[str, ...]
    categories: tuple[str, ...]
    subcategories: tuple[str, ...]
    brands: tuple[str, ...]
    price: np.ndarray
    unit_cost: np.ndarray
    popularity: np.ndarray

    def pick(self, amounts: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """A product for each amount of a line in cents: of a sixth of it to a tenth more, popular ones more often."""
        low = np.searchsorted(self.price, amounts / 6, side="left")
        high = np.searchsorted(self.price, amounts * 1.1, side="right")
        # none costs so little or so much: the nearest
        low = np.minimum(np.where(low >= high, np.maximum(high - 1, 0), low), len(self.price) - 1)
        high = np.maximum(high, low + 1)
        sums = np.concatenate([[0.0], self.popularity])
        drawn = sums[low] + random.random(len(amounts)) * (sums[high] - sums[low])
        return np.clip(np.searchsorted(self.popularity, drawn, side="right"), low, high - 1)


@cache
def products() -> Products:
    """The range: 10 categories of 3 kinds in 4 sizes. It is the same for every seed."""
    rows = []
    for category, subcategory, brand, first_price, kinds in _KINDS:
        for place, (chinese, english) in enumerate(kinds):
            for size_zh, size_en, factor in _SIZES:
                price = round(first_price * factor * (1 + 0.15 * place) * 10) * 10
                popularity = 1 / (1 + place) / factor**0.5
                name = f"{chinese}（{size_zh}） {english}, {size_en}"
                rows.append((price, name, category, subcategory, brand, popularity))
    rows.sort()
    price = np.array([row[0] for row in rows], dtype=np.int64)
    return Products(
        names=tuple(row[1] for row in rows),
        categories=tuple(row[2] for row in rows),
        subcategories=tuple(row[3] for row in rows),
        brands=tuple(row[4] for row in rows),
        price=price,
        unit_cost=np.rint(price * COST_SHARE).astype(np.int64),
        popularity=np.cumsum([row[5] for row in rows]),
    )
