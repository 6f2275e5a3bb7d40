"""Boards: declarative files become a static site beside the published tables of a version."""
