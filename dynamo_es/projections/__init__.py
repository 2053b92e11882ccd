"""Read models: runners over the log, and cursors over single streams."""
