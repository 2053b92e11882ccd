"""Loads that need not be consistent, on a table that shows any older state."""
