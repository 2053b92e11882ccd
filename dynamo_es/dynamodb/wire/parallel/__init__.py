"""Calls, pages and algorithms that go on at the same time."""
