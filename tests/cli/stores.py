"""Events in a store of a test, and the JSON lines that a command printed."""

import json

from dynamo_es import ANY_VERSION
from dynamo_es.testing.conformance.language import events


def append(backend, stream, number):
    backend.storage.insert_events(stream, ANY_VERSION, events(stream, number))


def lines(ended):
    assert (ended.status, ended.err) == (0, "")
    return [json.loads(line) for line in ended.out.splitlines()]
