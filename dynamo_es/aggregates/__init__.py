"""Aggregates: objects that decide on the events of their stream, and emit new ones."""
