"""Keeps read models up to date: projections read the log, projectors follow single streams."""
