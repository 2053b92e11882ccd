"""Encrypted fields of events, and keys whose deletion makes them unreadable."""
