"""The outbox: its stored state on every engine, and its runs."""
