"""Runs calls, reads of pages, and algorithms in parallel."""
