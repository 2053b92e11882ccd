"""Adapters that let other event sourcing libraries use this store; each needs its own extra."""
