"""Subscriptions to the log, and listeners to the appends of this process."""
