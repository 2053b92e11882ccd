"""Typed events: pydantic classes in, pydantic classes out, over any storage."""
