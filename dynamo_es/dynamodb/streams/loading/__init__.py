"""Loads streams: whole, page by page, or single commits."""
