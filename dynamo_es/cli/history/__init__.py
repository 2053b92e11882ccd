"""Whole histories: ``dynamo-es import`` and ``dynamo-es export``."""
