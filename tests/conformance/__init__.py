"""The contract that every backend keeps, tested on every engine."""
