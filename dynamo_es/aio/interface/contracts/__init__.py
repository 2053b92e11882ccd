"""The asynchronous forms of the contracts of a backend."""
