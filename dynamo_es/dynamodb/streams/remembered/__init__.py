"""Remembers between calls: heads of streams, and events and states of boundaries."""
