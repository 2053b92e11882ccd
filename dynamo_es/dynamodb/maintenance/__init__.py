"""Verifies, repairs and inspects the log and the streams."""
