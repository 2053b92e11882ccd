"""A function of the example makes everything while its module is imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.examples.fronts import EXAMPLE

# A process of its own, for a second.
pytestmark = pytest.mark.ci

FUNCTION = {
    "AWS_LAMBDA_FUNCTION_NAME": "accounts",
    "AWS_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "AKID",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "DYNAMO_ES_EVENTS_TABLE": "events",
    "DYNAMO_ES_LOG_TABLE": "log",
    "DYNAMO_ES_KEYS_TABLE": "keys",
    "READ_MODEL_TABLE": "read-model",
}

# DynamoDB answers with nothing, and the calls are made as Lambda makes them.
PROGRAM = """
import json, sys
from zlib import crc32
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from accounts import functions

class Raw:
    def __init__(self, body): self.body = body
    def stream(self): yield self.body

def answer(session, request):
    query = b"Query" in request.headers["X-Amz-Target"]
    body = b'{"Items": [], "Count": 0, "ScannedCount": 0}' if query else b"{}"
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-crc32": str(crc32(body))}
    return AWSResponse(request.url, 200, headers, Raw(body))

URLLib3Session.send = answer
from tests.examples.fronts import request_of
before = set(sys.modules)
tenant = {"x-tenant": "acme", "idempotency-key": "k", "if-none-match": "*"}
statuses = [
    functions.command(request_of("POST", "/accounts/a/open", b'{"owner": "A"}', tenant)),
    functions.query(request_of("GET", "/accounts/a", headers=tenant)),
    functions.query(request_of("GET", "/")),
]
statuses = [reply["statusCode"] for reply in statuses]
print(json.dumps([statuses, sorted(set(sys.modules) - before)]))
"""


def test_the_first_requests_load_no_module():
    ordinary = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "DYNAMO_ES_"))
    }
    path = os.pathsep.join([str(EXAMPLE), str(EXAMPLE.parents[2]), *sys.path])
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", PROGRAM],
        env={**ordinary, "HOME": "/nowhere", **FUNCTION, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    statuses, loaded = json.loads(done.stdout.splitlines()[-1])
    assert statuses == [202, 404, 200]
    assert loaded == []
