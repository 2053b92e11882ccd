"""The asynchronous classes: scripts/async-interface writes each into the module of its name.

`contracts` has those of the synchronous package `contracts`, and `by_hand` the parts that no script
writes.
"""
