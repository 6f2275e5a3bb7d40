"""Random numbers: a stream of its own for every seed, chunk and purpose, so that a new purpose disturbs no other."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, chunk: int, purpose: str) -> np.random.Generator:
    """The generator of a purpose in a chunk. The same three give the same numbers on every machine."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, chunk, zlib.crc32(purpose.encode())])))


def pick(random: np.random.Generator, shares: tuple[float, ...] | np.ndarray, count: int) -> np.ndarray:
    """`count` places of `shares`, each drawn with its share; shares need not add up to 1. Integers, shape (count,)."""
    bounds = np.cumsum(np.asarray(shares, dtype=np.float64))
    places = np.searchsorted(bounds, random.random(count) * bounds[-1], side="right")
    return np.minimum(places, len(bounds) - 1).astype(np.int64)
