"""Keeps read models up to date: projections over the log, and projectors over single streams."""
