"""Reads and saves what decisions of a boundary need: the matching events, and saved states."""
