"""The asynchronous classes. scripts/async-interface writes each into the module of its name.

`contracts` has the classes of the synchronous package `contracts`. `by_hand` has the hand-written
parts.
"""
