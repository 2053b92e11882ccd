"""Forms of the library's own classes for calls on an event loop. All need greenlet.

- `gateway` and `storage`: send requests, and say whether a cancelled call may have been stored.
- `event_stores` and `serde`: typed events, of which threads work on the large ones.
- `large_events`: estimates which events are large.
- `group_waiter`: makes a task wait for its group of appends.
- `by_stream`: runs a projection's handler for several streams at once.
"""
