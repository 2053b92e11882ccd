"""Encrypts fields of events. Without a person's key, that person's fields are unreadable."""
