"""Streams in the events table: append, load, delete, snapshots."""
