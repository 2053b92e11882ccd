"""The lean transport's signatures are botocore's."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from dynamo_es.dynamodb.wire.lean import terms as lean_terms
from dynamo_es.dynamodb.wire.lean.signing import Signer
from tests.dynamodb.wire.moments import botocore_at

WORDS = st.text("abcXYZ019/+=", min_size=1, max_size=40)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2040, 1, 1))  # noqa: DTZ001 - of Hypothesis
HOSTS = (
    "https://dynamodb.us-east-1.amazonaws.com",
    "http://127.0.0.1:8000",
    "http://localhost:80",
    "https://example.com:443",
    "http://[::1]:8000",
)


def by_botocore(
    url: str,
    region: str,
    keys: tuple[str, str, str | None],
    target: str,
    body: bytes,
    now: datetime,
) -> dict[str, str]:
    request = AWSRequest("POST", f"{url}/", {"Content-Type": "a/b", "X-Amz-Target": target}, body)
    request.context = {}
    with botocore_at(now.replace(tzinfo=None)):
        SigV4Auth(Credentials(*keys), "dynamodb", region).add_auth(request)
    return dict(request.headers.items())


@given(
    st.sampled_from(HOSTS),
    WORDS,
    st.tuples(WORDS, WORDS, st.none() | WORDS),
    st.binary(max_size=60),
    MOMENTS,
)
def test_signatures_are_botocores(url, region, keys, body, now):
    signer = Signer(url, region, lambda: now.replace(tzinfo=UTC))
    for target in ("DynamoDB_20120810.PutItem", "DynamoDB_20120810.Query"):
        headers = {"Content-Type": "a/b", "X-Amz-Target": target}
        signer.sign(headers, body, lean_terms.Credentials(*keys))
        assert headers == by_botocore(url, region, keys, target, body, now)


@pytest.mark.parametrize("change", ["day", "secret"])
def test_a_new_day_and_new_credentials_have_a_key_of_their_own(change):
    now = [datetime(2030, 1, 1, 23, 59, tzinfo=UTC)]
    keys: Any = SimpleNamespace(access_key="A", secret_key="s", token=None)  # noqa: S106 - of an example
    signer = Signer(HOSTS[0], "us-east-1", lambda: now[0])
    signer.sign({"Content-Type": "a/b", "X-Amz-Target": "x"}, b"", keys)
    if change == "day":
        now[0] = datetime(2030, 1, 2, tzinfo=UTC)
    else:
        keys.secret_key = "another"  # noqa: S105 - of an example
    headers = {"Content-Type": "a/b", "X-Amz-Target": "x"}
    signer.sign(headers, b"", keys)
    expected = by_botocore(HOSTS[0], "us-east-1", ("A", keys.secret_key, None), "x", b"", now[0])
    assert headers == expected
