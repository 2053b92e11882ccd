"""The outbox: its state on every engine, and what a run makes of it."""
