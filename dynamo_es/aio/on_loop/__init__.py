"""The library's own classes, as calls on an event loop use them. All of it needs greenlet.

- `gateway` and `storage`: the way to DynamoDB, and what a cancelled call leaves unknown.
- `event_stores` and `large_events`: events that are large go to threads.
- `group_waiter`: how a task waits for its group of appends.
- `by_stream`: a projection's handler runs for several streams at once.
"""
