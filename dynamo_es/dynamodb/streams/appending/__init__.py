"""Appends events: to one stream, to many, to all of several or none, or under conditions."""
