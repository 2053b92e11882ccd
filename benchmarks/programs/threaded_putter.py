"""Puts items with a bare boto3 client in many threads, and prints the time as a line of JSON.

Its arguments are the endpoint, the number of threads, and the seconds.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config

ITEM = {
    "stream_key": {"S": "x" * 40},
    "version": {"N": "1"},
    "events": {"B": b"x" * 200},
    "generation": {"N": "1763920000123456"},
}


def main() -> None:
    """Put items, and print the result."""
    endpoint, threads, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    client: Any = boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="bench",
        aws_secret_access_key="bench",  # noqa: S106 - the server accepts any
        config=Config(max_pool_connections=threads, retries={"mode": "standard"}),
    )

    def put() -> None:
        client.put_item(
            TableName="events",
            Item=ITEM,
            ConditionExpression="attribute_not_exists(version)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(put) for _ in range(2 * threads)]:  # opens connections
            done.result()
        began, cpu = time.monotonic(), time.process_time()

        def run(_: int) -> int:
            puts = 0
            while time.monotonic() < began + seconds:
                put()
                puts += 1
            return puts

        puts = sum(pool.map(run, range(threads)))
        found = {
            "appends": puts,
            "seconds": time.monotonic() - began,
            "cpu": time.process_time() - cpu,
        }
    sys.stdout.write(f"{json.dumps(found)}\n")


if __name__ == "__main__":
    main()
