"""Subscriptions to the log, and listeners in the process that appends."""
