"""Measurements of the project; benchmarks/README.md says what came out."""
