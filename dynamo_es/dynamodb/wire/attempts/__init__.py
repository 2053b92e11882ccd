"""The attempts of a request: watched, checked, repeated, and ended in time."""
