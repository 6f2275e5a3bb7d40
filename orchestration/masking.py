"""What may be shown of a value that may be somebody's: what looks personal, the pattern of a text, and clean text.

The expressions are written once, for Python and for RE2, which DuckDB uses: `orchestration.landing.masking`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

MASK = "***"
"""What stands in the place of a value that nobody is to read."""

PATTERN_WIDTH = 60
"""Characters of a pattern that are shown."""

_NO_CHARACTER = "\N{REPLACEMENT CHARACTER}"
# controls, marks of direction and what else is not seen, ends of lines, private use, halves of pairs
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_KEPT_CONTROLS = "\n\t"
# they part what stands on their sides
_BREAKS = "\n\t\r\v\f\u2028\u2029"
# of emoji and of some scripts; they move no other character
_JOINERS = "\u200c\u200d"


# no script has digits beyond
_DIGITS_BELOW = 0x20000


@cache
def ascii_signs() -> dict[str, str]:
    """By character, the sign of ASCII that it stands for: digits of any script, signs of addresses and numbers."""
    signs = {
        "＠": "@",
        "﹫": "@",
        "．": ".",
        "。": ".",
        "＋": "+",
        "（": "(",
        "）": ")",
        "－": "-",
        "–": "-",
        "—": "-",
        "／": "/",
    }
    signs |= {"\u00a0": " ", "\u3000": " ", "·": "-"}
    for character in map(chr, range(0x80, _DIGITS_BELOW)):
        if character.isdecimal():
            signs[character] = str(unicodedata.decimal(character))
    return signs


def personal_expression(before: str, after: str, is_sure: bool = False) -> str:
    """What looks like an e-mail address, a phone or an identity card's number, in a text of `ascii_signs`.

    Args:
        before: what matches where no digit stands before.
        after: what matches where no digit stands after.
        is_sure: only an address with a whole domain, as `Yoga@Home` may be a name.
    """
    word, at = r"[\w\x{80}-\x{10FFFF}]", "(?:@|%40)"
    local = r"[\w\x{80}-\x{10FFFF}.%+'-]"
    # one sign on each side is enough, and whoever takes the address out wants all of it
    loose = f"{local}+{at}{word}(?:[\\w\\x{{80}}-\\x{{10FFFF}}.-]*{word})?"
    return "|".join(
        (
            *(() if is_sure else (loose,)),
            rf"{local}+\s?{at}\s?{word}+[.]{word}+",
            # with a country code
            r"[+]\s?[(]?[0-9](?:[\s().-]{0,2}[0-9]){6,14}",
            # a mobile number of China
            rf"{before}(?:(?:00)?86[\s-]?)?1[3-9][0-9][\s.-]?[0-9]{{4}}[\s.-]?[0-9]{{4}}{after}",
            # area codes
            rf"{before}0[0-9]{{2,3}}[\s-][0-9]{{7,8}}{after}",
            rf"{before}[(]?[0-9]{{3}}[)]?[\s.-]{{1,2}}[0-9]{{3}}[\s.-][0-9]{{4}}{after}",
            r"[(][0-9]{2,5}[)]\s?[0-9]{3,4}[\s-]?[0-9]{3,5}",
            # either of them as a floating number is written
            r"[1-9][.][0-9]{6,}[eE][+]?[0-9]{2}",
            # an identity card: place, day of birth, number
            rf"{before}[1-9][0-9]{{5}}(?:19|20)[0-9]{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{{3}}[0-9Xx]{after}",
        )
    )


# a phone number without sign, in a text that is to hold none: seven digits and more, that are no day
MANY_DIGITS = r"[0-9](?:[\s()./-]{0,2}[0-9]){6}"
DAY = r"[0-9]{4}[-/.][0-9]{1,2}[-/.][0-9]{1,2}"
# ids of machines, in which chance writes numbers of phones
MACHINE_ID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32,}"
_PERSONAL = re.compile(
    personal_expression("(?<![0-9])", "(?![0-9])").replace(r"\x{80}-\x{10FFFF}", "\x80-\U0010ffff"), re.ASCII
)

# a name of a file is full of dates and counts
_SURELY_PERSONAL = re.compile(
    r"[\w.%+'-]+(?:@|%40)[\w-]+(?:[.][\w-]+)*[.](?!csv|parquet)[A-Za-z]{2,}|[+][0-9]{10,14}(?![0-9])|"
    r"(?<![0-9A-Za-z])(?:86)?1[3-9][0-9]{9}(?![0-9A-Za-z])",
)


def looks_personal(text: str) -> bool:
    """Whether a text holds what looks like an e-mail address, a phone number or the number of an identity card."""
    return _PERSONAL.search(re.sub(MACHINE_ID, "", _normalised(text))) is not None


def is_address_or_number(text: str) -> bool:
    """Whether a text, the name of a file, holds a whole e-mail address or a phone number that is surely one."""
    return _SURELY_PERSONAL.search(_normalised(text)) is not None


def may_be_personal(text: str) -> bool:
    """The same of a text that has no reason to hold digits: seven of them are enough, unless they are a day's."""
    normalised = _normalised(text)
    return looks_personal(normalised) or re.search(MANY_DIGITS, re.sub(DAY, "", normalised)) is not None


def masked(text: str, by: str | None = None) -> str:
    """The text with its pattern, or `by`, in the place of all that looks personal, and fit for a terminal."""
    if not looks_personal(text):
        return printable(text)
    seen, parts, end = _without_unseen(text), [], 0
    # sign by sign the same text
    for found in _PERSONAL.finditer(_in_ascii_signs(seen)):
        parts += [seen[end : found.start()], by or pattern_of(seen[found.start() : found.end()])]
        end = found.end()
    return printable("".join([*parts, seen[end:]]))


def _normalised(text: str) -> str:
    return _in_ascii_signs(_without_unseen(text))


def _in_ascii_signs(text: str) -> str:
    return text if text.isascii() else text.translate(str.maketrans(ascii_signs()))


def pattern_of(text: str, width: int = PATTERN_WIDTH) -> str:
    """The pattern of a text: `Ann Lee, 13` is `Aa+ Aa+, 9+`. Letters without case are 字, signs stay, runs have a +."""
    shown = "".join(_sign_of(character) for character in text)
    for sign in ("A", "a", "9", "字"):
        shown = re.sub(f"{sign}{{2,}}", f"{sign}+", shown)
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def _sign_of(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Lu", "Lt"):
        return "A"
    if category == "Ll":
        return "a"
    if category.startswith("N"):
        return "9"
    if category.startswith("L"):
        return "字"
    if category == "Zs":
        return " "
    # a mark belongs to the letter before it
    if category.startswith("M"):
        return ""
    return "?" if category == "So" or category in _UNSEEN_CATEGORIES else character


def printable(text: str) -> str:
    """The text without what a terminal would obey: no controls but line breaks and tabs, no marks of direction."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_NO_CHARACTER if _is_unseen(character) else character for character in text)


def _is_unseen(character: str) -> bool:
    return character not in _KEPT_CONTROLS + _JOINERS and unicodedata.category(character) in _UNSEEN_CATEGORIES


def _without_unseen(text: str) -> str:
    """Nothing that is not seen may part what is: of two halves of an address it is one."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        for character in text
        if character in _BREAKS or unicodedata.category(character) not in _UNSEEN_CATEGORIES
    )
