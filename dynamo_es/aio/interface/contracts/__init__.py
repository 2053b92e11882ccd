"""The asynchronous classes over the contracts of a backend."""
