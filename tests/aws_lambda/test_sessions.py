"""A session of one tenant: its tag, its credentials, and the requests that it refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from dynamo_es import DynamoConfig, StreamId
from dynamo_es.aws_lambda.sessions import tag_of, tenant_backend
from dynamo_es.exceptions import ConfigurationError, InvalidStreamIdError, ServiceError

CONFIG = DynamoConfig(
    events_table="events",
    log_table="log",
    keys_table="keys",
    region="eu-west-1",
    endpoint_url="http://127.0.0.1:9",
    max_attempts=1,
)
ROLE = "arn:aws:iam::123456789012:role/one-tenant"


class Sts:
    """Stands in for a client of ``sts``."""

    def __init__(self, lifetime=900, error=None):
        self.requests = []
        self._lifetime = lifetime
        self._error = error

    def assume_role(self, **request):
        self.requests.append(request)
        if self._error:
            raise self._error
        number = len(self.requests)
        return {
            "Credentials": {
                "AccessKeyId": f"key{number}",
                "SecretAccessKey": "secret",
                "SessionToken": f"token{number}",
                "Expiration": datetime.now(UTC) + timedelta(seconds=self._lifetime),
            }
        }


def tokens_of(backend, requests):
    """Return the tokens with which some requests would be sent."""
    seen = []

    def note(request, **_):
        seen.append(request.headers["X-Amz-Security-Token"])

    backend.client.meta.events.register("before-send.dynamodb", note)
    for _ in range(requests):
        with pytest.raises(ServiceError):
            backend.storage.fetch_events(StreamId())
    return seen


def test_a_session_is_tagged_with_its_tenant_and_used_until_it_expires():
    sts = Sts(lifetime=3600)
    backend = tenant_backend("acme corp", ROLE, config=CONFIG, sts=sts)
    assert sts.requests == [], "fetched when first needed"

    tokens = [token.decode() for token in tokens_of(backend, 3)]

    assert tokens == ["token1"] * 3
    assert sts.requests == [
        {
            "RoleArn": ROLE,
            "RoleSessionName": "dynamo_es",
            "DurationSeconds": 900,
            "Tags": [{"Key": "tenant", "Value": "acme corp"}],
        }
    ]


def test_a_session_that_is_about_to_expire_is_renewed():
    sts = Sts(lifetime=10)
    backend = tenant_backend("acme", ROLE, config=CONFIG, sts=sts)

    tokens = [token.decode() for token in tokens_of(backend, 2)]

    assert len(set(tokens)) == 2


def test_a_role_that_cannot_be_assumed_is_told_of():
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole")
    backend = tenant_backend("acme", ROLE, config=CONFIG, sts=Sts(error=denied))

    with pytest.raises(ServiceError, match=r"AssumeRole.*AccessDenied"):
        backend.storage.fetch_events(StreamId())


def test_it_is_a_backend_of_that_tenant():
    backend = tenant_backend("acme", ROLE, config=CONFIG, sts=Sts())
    sent = []
    backend.client.meta.events.register(
        "provide-client-params.dynamodb.Query",
        lambda params, **_: sent.append(params["ExpressionAttributeValues"][":key"]["S"]),
    )

    with pytest.raises(ServiceError):
        backend.storage.fetch_events(StreamId())

    assert sent[0].startswith("acme#")


@pytest.mark.parametrize(
    "tenant", ["acme", "Ärzte & Co".replace("&", "+"), "a:b/c=d+e-f@g_h.i", "1"]
)
def test_these_can_be_tags(tenant):
    assert tag_of(tenant) == tenant


@pytest.mark.parametrize(
    "tenant", ["", "a*", "a?", "a#b", "a%b", "${aws:x}", "a" * 257, "a,b", "a\tb"]
)
def test_these_cannot(tenant):
    with pytest.raises(InvalidStreamIdError, match="tag of a session"):
        tag_of(tenant)


def test_what_cannot_work_is_refused_at_once():
    with pytest.raises(ConfigurationError, match="900"):
        tenant_backend("acme", ROLE, config=CONFIG, duration=60)
    with pytest.raises(ConfigurationError, match="at most 43,200 seconds"):
        tenant_backend("acme", ROLE, config=CONFIG, duration=timedelta(hours=13))
    inline = DynamoConfig(
        events_table="e", log_table="l", keys_table="k", region="r", sequencing="inline"
    )
    with pytest.raises(ConfigurationError, match="stream"):
        tenant_backend("acme", ROLE, config=inline)
    own_log = replace(inline, log_scope="tenant")
    assert tenant_backend("acme", ROLE, config=own_log).config.sequencing == "inline"
