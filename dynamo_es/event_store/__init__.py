"""Typed events: stores and loads objects of your pydantic classes, over any storage."""
