"""Typed events: stores and loads objects of your pydantic classes, in any storage."""
