"""Aggregates: objects that decide by the events of their stream, and emit new ones."""
