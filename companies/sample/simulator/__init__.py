"""A simulated company, whose truth is known: see the README of companies/sample."""

from .company import simulate
from .config import AS_OF, FIRST_DAY, SIZES, Config, SampleError

__all__ = ["AS_OF", "FIRST_DAY", "SIZES", "Config", "SampleError", "simulate"]
