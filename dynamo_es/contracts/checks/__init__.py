"""Checks of arguments, events, payloads and functions, which every backend makes."""
