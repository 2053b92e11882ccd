"""Watches the attempts of a request, checks their replies, repeats them, and ends them in time."""
