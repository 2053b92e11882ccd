"""The library's own classes, as calls on an event loop use them. All need greenlet.

- `gateway` and `storage`: the way to DynamoDB, and what a cancelled call leaves unknown.
- `event_stores` and `serde`: typed events of a call.
- `large_events`: which events are so large that threads work on them.
- `group_waiter`: how a task waits for its group of appends.
- `by_stream`: a projection's handler runs for several streams at once.
"""
