"""Prints the output of commands, shows their progress, and ends them at a signal."""
