"""Reads a long stream, and prints its memory and time as JSON.

``python -m benchmarks.programs.long_reader '{"events_table": …}' STREAM iterate|load``
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from benchmarks.ours import stream_id
from dynamo_es import DynamoBackend, DynamoConfig

WARM_UP = 2_000


def peak_kilobytes() -> int:
    """Return this process's peak of resident memory so far, without that of its parent."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def main() -> None:
    """Read the stream and print the result."""
    config, name, way = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
    storage = DynamoBackend(DynamoConfig(**config)).storage
    stream = stream_id(name)
    # Warm up, so that imports, connections and buffers are not counted.
    for at, _ in enumerate(storage.iter_events(stream, 1, WARM_UP, page_size=20)):
        if at == WARM_UP // 10:
            break
    before, begin, cpu = peak_kilobytes(), time.perf_counter(), time.process_time()
    if way == "iterate":
        events = sum(1 for _ in storage.iter_events(stream))
    else:
        events = len(storage.fetch_events(stream, 1))
    found = {
        "events": events,
        "kilobytes": peak_kilobytes() - before,
        "seconds": time.perf_counter() - begin,
        "cpu_seconds": time.process_time() - cpu,
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
