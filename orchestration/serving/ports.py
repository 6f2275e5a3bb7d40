"""Which port pages are served on, on this machine's own address alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from orchestration.errors import SettingsError

ADDRESS = "127.0.0.1"
_Bound = TypeVar("_Bound")


def bound(environ: Mapping[str, str], variable: str, default: int, bind: Callable[[int], _Bound]) -> _Bound:
    """What `bind` gives for the port that a variable asks for, or the default, or a free one where that is taken.

    Args:
        environ: the environment.
        variable: the name of the variable.
        default: the port where the variable asks for none.
        bind: takes a port, 0 for a free one; OSError where it is taken.

    Raises:
        SettingsError: the port that is asked for is none, or is taken.
    """
    asked = environ.get(variable, "")
    if asked and not (asked.isdecimal() and 0 < int(asked) < 65536):
        raise SettingsError(f"{variable} is {asked!r}, which is no port. Give a number from 1 to 65535.")
    for port in [int(asked)] if asked else [default, 0]:
        try:
            return bind(port)
        except OSError:
            continue
    raise SettingsError(f"The port {asked} of {variable} is taken. Give another, or leave the variable out.")
