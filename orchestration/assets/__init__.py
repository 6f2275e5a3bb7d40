"""The steps of a refresh as Dagster's assets: raw tables, model fits, dbt models, publication."""
