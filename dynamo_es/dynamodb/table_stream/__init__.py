"""Reads the events table's DynamoDB stream, and passes new commits to the sequencer.

- `poller`: polls until it is stopped, or until everything is read.
- `rounds`: one pass over the shards.
- `shards`: the shards, which of them may be read, and how far they are read.
- `requests`: builds requests, as pure functions.
"""
