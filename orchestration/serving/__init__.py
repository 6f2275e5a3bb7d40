"""Dagster's web pages, its daemon and its code server, under one process: `make dev`."""
