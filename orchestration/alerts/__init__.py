"""Telling people who do not watch: of failed runs, refused publications, stale data and new warnings, once for each."""
