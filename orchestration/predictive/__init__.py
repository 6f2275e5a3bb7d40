"""Fits, backtests and the choice of champions: arrays in, parameters out, nothing else of orchestration."""
