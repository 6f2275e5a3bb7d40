"""Runs the project: lands raw files, builds the dbt models, publishes the marts."""
