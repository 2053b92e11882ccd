"""Histories of concurrent processes on one store, recorded and checked to be linearizable."""
