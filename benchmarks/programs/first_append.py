"""Appends once, and reports on the time until then: ``first_append ENDPOINT TRANSPORT``.

The transport is one of dynamo_es, or ``bare``, with which boto3 alone puts an item. Then pydantic
and tenacity are loaded too, because dynamo_es needs them.
"""

import time

began, began_cpu = time.perf_counter(), time.process_time()

import sys  # noqa: E402

endpoint, transport = sys.argv[1:]
if transport == "bare":
    import boto3
    import pydantic  # noqa: F401
    import tenacity  # noqa: F401

    client = boto3.client("dynamodb", region_name="us-east-1", endpoint_url=endpoint)
    client.put_item(
        TableName="events",
        Item={
            "stream_key": {"S": "#file#cold start"},
            "version": {"N": "1"},
            "events": {"S": '[{"name": "FileAdded", "data": {"lines": 1}}]'},
        },
        ConditionExpression="attribute_not_exists(stream_key)",
    )
else:
    from datetime import UTC, datetime
    from uuid import UUID

    from dynamo_es import DynamoBackend, DynamoConfig, ExplicitVersioning, RawEvent, StreamId

    stream = StreamId(name="cold start", category="file")
    event = RawEvent(UUID(int=1), stream, datetime.now(UTC), "FileAdded", {"lines": 1}, {})
    config = DynamoConfig(
        events_table="events",
        log_table="log",
        keys_table="keys",
        region="us-east-1",
        endpoint_url=endpoint,
        transport=transport,  # type: ignore[arg-type]
    )
    DynamoBackend(config).storage.insert_events(stream, ExplicitVersioning(0), [event])
seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu

loaded = "boto3" in sys.modules
if loaded == (transport == "lean"):
    sys.exit(f"boto3 is loaded: {loaded}. The transport is {transport}.")

from benchmarks.programs.reporting import report  # noqa: E402

report(seconds, cpu_seconds)
