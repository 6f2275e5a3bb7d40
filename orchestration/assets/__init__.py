"""The three steps of a refresh as Dagster assets: raw tables, dbt models, publication."""
