"""Appends once with dynamo_es, against a recorded reply, and reports on the time until then."""

import time

began, began_cpu = time.perf_counter(), time.process_time()

from datetime import UTC, datetime  # noqa: E402
from uuid import UUID  # noqa: E402

from dynamo_es import DynamoBackend, DynamoConfig, ExplicitVersioning, RawEvent, StreamId  # noqa: E402

stream = StreamId(name="cold start", category="file")
event = RawEvent(UUID(int=1), stream, datetime.now(UTC), "FileAdded", {"lines": 1}, {})
backend = DynamoBackend(
    DynamoConfig(events_table="events", log_table="log", keys_table="keys", region="us-east-1")
)
client = backend.client
made, made_cpu = time.perf_counter(), time.process_time()

from benchmarks.replaying import Reply, replay  # noqa: E402

checksum = {"Content-Type": "application/x-amz-json-1.0", "x-amz-crc32": "2745614147"}  # of {}
replay(client, [Reply(200, checksum, b"{}")])
before, before_cpu = time.perf_counter(), time.process_time()
backend.storage.insert_events(stream, ExplicitVersioning(0), [event])

from benchmarks.programs.reporting import report  # noqa: E402

report(
    (made - began) + (time.perf_counter() - before),
    (made_cpu - began_cpu) + (time.process_time() - before_cpu),
)
