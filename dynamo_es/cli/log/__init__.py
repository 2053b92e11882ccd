"""Commands for the log: follow it, give events positions, verify and repair it."""
