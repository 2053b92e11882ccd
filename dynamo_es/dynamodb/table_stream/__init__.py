"""Reads the events table's DynamoDB stream, and gives the sequencer what was written.

- `poller`: polls until it is stopped, or until everything is read.
- `rounds`: one pass over the shards.
- `shards`: which shards there are, which may be read, and how far they are read.
- `requests`: what is sent, as pure functions.
"""
