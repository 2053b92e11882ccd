"""The command line, and the importing behind it."""
