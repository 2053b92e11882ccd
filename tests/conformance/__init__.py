"""What every backend keeps, on every engine."""
