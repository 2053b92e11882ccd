"""The log: pages of pointers to commits, in the total order of all streams.

- `pages`, `markers` and `pointers`: the log table's items, and how a page is packed.
- `requests`: builds requests, as pure functions.
- `sequencer`: gives commits their positions; `inline_sequencer` does so right after an append.
- `log` and `reader`: the log as consumers see it.
- `listing`: lists tenants, categories and streams from the markers.
- `set_aside`: commits that no sequencer of this release can read.
- `unsequenced`: searches for commits that have no position yet.
"""
