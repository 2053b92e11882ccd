"""The log: its items, its requests, and the sequencer that assigns positions."""
