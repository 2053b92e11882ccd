"""The demonstration: what happens in it, and how it is told."""
