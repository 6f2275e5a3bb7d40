"""Fits, backtests and the choice of models. Pure functions over NumPy; Dagster and the engines are elsewhere."""
