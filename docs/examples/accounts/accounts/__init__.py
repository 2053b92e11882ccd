"""Accounts of many tenants: an HTTP API on an event store, on AWS Lambda."""
