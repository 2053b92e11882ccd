"""Verifying and repairing the log."""
