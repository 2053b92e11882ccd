"""The two fronts of the example give the same answers, and store nothing that they refuse."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es import StreamId
from tests.examples.fronts import Answer, of_lambda, of_web, request_of
from tests.fastapi.client import TestClient

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "accounts"
_numbers = count()


@pytest.fixture(scope="module")
def example():
    """The application on an emulator; its read models stand still."""
    path = list(sys.path)
    module = runpy.run_path(str(EXAMPLE / "local.py"))
    local = module["Local"]()
    with TestClient(
        module["create_app"](local.backend, local.read_model), raise_server_exceptions=False
    ) as client:
        yield local, {"web": of_web(client), "lambda": of_lambda(local.application)}
    sys.path[:] = path


class Front:
    """One front, for a tenant of its own."""

    def __init__(
        self, send: Callable[..., Answer], backend: Any, follow: Callable[[], Any]
    ) -> None:
        self.send = send
        self.follow = follow
        self.backend = backend
        self.tenant = f"tenant {next(_numbers)}"

    def post(self, place: str, body: Any, **headers: str) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        return self.send("POST", f"/accounts/{place}", content, {"x-tenant": self.tenant} | named)

    def get(self, place: str) -> Answer:
        return self.send("GET", f"/accounts/{place}", b"", {"x-tenant": self.tenant})

    def stored(self, account: str = "ann") -> list[str]:
        stream = StreamId(name=account, category="account")
        store = self.backend.in_tenant(self.tenant).event_store
        return [repr(one.event) for one in store.load_stream(stream)]


@pytest.fixture(params=["web", "lambda"])
def front(request, example) -> Front:
    local, sends = example
    return Front(sends[request.param], local.backend, local.poll)


# First, while the read models have little to catch up with.
def test_a_statement_has_each_event_with_the_balance_after_it(front):
    assert front.get("ann/statement").status == 404
    front.post("ann/open", {"owner": "Ann"})
    front.post("ann/deposit", {"amount": 500})
    front.post("ann/withdraw", {"amount": 120})
    front.post("ann%23%23/open", {"owner": "Another"})  # whose name begins like the first
    front.follow()

    entries = front.get("ann/statement").body

    shown = [(one["version"], one["kind"], one["amount"], one["balance"]) for one in entries]
    assert shown == [(3, "withdrawn", 120, 380), (2, "deposited", 500, 500), (1, "opened", 0, 0)]
    balance = front.get("ann")
    assert (balance.body["owner"], balance.body["balance"], balance.body["version"]) == (
        "Ann",
        380,
        3,
    )
    assert balance.headers["etag"] == balance.body["etag"]
    changed = front.post("ann/deposit", {"amount": 1}, if_match=balance.headers["etag"])
    assert changed.status == 202


def test_a_reply_carries_the_version(front):
    opened = front.post("ann/open", {"owner": "Ann"})
    deposited = front.post("ann/deposit", {"amount": 5})

    assert (opened.status, opened.body) == (202, {"balance": 0, "version": 1})
    assert (deposited.status, deposited.body) == (202, {"balance": 5, "version": 2})
    assert deposited.headers["etag"].endswith('-2"')
    assert front.stored() == ["Opened(owner='Ann')", "Deposited(amount=5)"]


def test_a_command_on_an_earlier_version_is_refused(front):
    old = front.post("ann/open", {"owner": "Ann"}).headers["etag"]
    assert front.post("ann/deposit", {"amount": 5}, if_match=old).status == 202

    refused = front.post("ann/deposit", {"amount": 5}, if_match=old)

    assert (refused.status, refused.body["actual"]) == (412, 2)
    assert len(front.stored()) == 2


def test_a_command_that_comes_twice_is_carried_out_once(front):
    front.post("ann/open", {"owner": "Ann"})
    key = {"idempotency_key": "k", "x_correlation_id": "c"}
    first, second = (front.post("ann/deposit", {"amount": 5}, **key) for _ in "12")

    assert first == second
    assert front.post("ann/deposit", {"amount": 6}, idempotency_key="k").status == 422
    assert front.post("ann/deposit", {"amount": 5}, idempotency_key="").status == 400
    assert front.post("ann/deposit", {"amount": 5}, if_match="2").status == 400
    assert len(front.stored()) == 2


def test_commands_at_once_are_all_carried_out_and_one_key_once(front):
    front.post("ann/open", {"owner": "Ann"})

    with ThreadPoolExecutor(4) as pool:
        each = [pool.submit(front.post, "ann/deposit", {"amount": 1}) for _ in range(4)]
        same = [
            pool.submit(front.post, "ann/deposit", {"amount": 10}, idempotency_key="k")
            for _ in range(4)
        ]

    assert {reply.result().status for reply in each + same} == {202}
    assert len({json.dumps(reply.result().body) for reply in same}) == 1
    assert front.post("ann/deposit", {"amount": 1}).body == {"balance": 15, "version": 7}


@pytest.mark.parametrize(
    ("place", "body", "status", "words"),
    [
        ("new/deposit", {"amount": 5}, 409, "not open"),
        ("ann/withdraw", {"amount": 50}, 409, "Only 0 cents"),
        ("ann/deposit", {"amount": -5}, 409, "above 0"),
        ("ann/deposit", {"amount": 0}, 409, "above 0"),
        ("ann/open", {"owner": "again"}, 409, "open already"),
        ("ann/close", {}, 404, ""),
    ],
)
def test_what_the_rules_do_not_allow_is_refused(front, place, body, status, words):
    front.post("ann/open", {"owner": "Ann"})

    refused = front.post(place, body)

    assert refused.status == status
    assert words in refused.body["detail"]
    assert refused.headers["content-type"] == "application/problem+json"
    assert front.stored() == ["Opened(owner='Ann')"]


NO_AMOUNTS: list[Any] = [
    *(1.9, 1.0, True, False, "5", None, [5], {"a": 5}, 10**13, -(10**13), 10**400),
    float("nan"),
    float("inf"),
    b'{"amount": 1e400}',
    b'{"amount": 1e2}',
    b'{"amount": ' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("amount", NO_AMOUNTS, ids=lambda amount: repr(amount)[:20])
@pytest.mark.parametrize("command", ["deposit", "withdraw"])
def test_what_is_no_amount_is_refused(front, command, amount):
    front.post("ann/open", {"owner": "Ann"})
    front.post("ann/deposit", {"amount": 10})

    body = amount if isinstance(amount, bytes) else {"amount": amount}
    refused = front.post(f"ann/{command}", body)

    assert refused.status in {400, 422}
    assert refused.headers["content-type"] == "application/problem+json"
    assert len(front.stored()) == 2


NO_NAMES = ["", " ", "n" * 101, "n" * 3000, "a\0b", "a\nb", "\u202e", "\ufffd", "\ud800", "\x85"]


@pytest.mark.parametrize("owner", [*NO_NAMES, 5, True, None, ["Ann"]], ids=repr)
def test_what_is_no_name_is_no_owner(front, owner):
    refused = front.post("ann/open", {"owner": owner})

    assert refused.status == 422
    assert front.stored() == []


PLACES = [quote(name) for name in NO_NAMES if name not in {"", "\ud800"}] + ["%ff", "%ed%a0%80"]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place[:20])
def test_what_is_no_name_is_no_account(front, place):
    before = front.backend.log.last_position

    assert front.post(f"{place}/open", {"owner": "Ann"}).status == 422
    assert front.get(place).status == 422
    assert front.backend.log.last_position == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"owner": "\xff"}', 400),
        (b"\xff\xfe", 400),
        (b"{", 400),
        (b"[" * 10_000, 400),
        (b"[" * 100_000, 413),
        (b"", 422),
        (b"null", 422),
        (b"5", 422),
        (b"[]", 422),
        (b'"Ann"', 422),
        (b"{}", 422),
    ],
    ids=lambda given: repr(given)[:20],
)
def test_a_body_that_is_no_command_is_refused(front, body, status):
    refused = front.post("ann/open", body)

    assert refused.status == status
    assert refused.headers["content-type"] == "application/problem+json"
    assert front.stored() == []


def test_a_body_that_is_too_large_is_refused_before_it_is_read(front):
    most = 16 * 1024
    body = b'{"owner": "Ann"}'

    assert front.post("ann/open", body + b" " * (most - len(body))).status == 202
    refused = front.post("bob/open", body + b" " * (most - len(body) + 1))
    binary = front.post("bob/open", b"\xff" * (most + 3))

    assert (refused.status, binary.status) == (413, 413)
    assert "at most 16384 bytes" in refused.body["detail"]
    assert front.stored("bob") == []


def test_a_body_of_another_type_is_refused(front):
    assert front.post("ann/open", {"owner": "Ann"}, content_type="text/plain").status == 422
    assert front.stored() == []


def test_the_lambda_functions_need_no_fastapi():
    program = (
        "import sys; sys.modules['fastapi'] = sys.modules['starlette'] = None; "
        "import accounts.application, accounts.read_model"
    )

    subprocess.run([sys.executable, "-c", program], cwd=EXAMPLE, check=True)  # noqa: S603


def test_a_lambda_function_takes_a_body_in_base64(example):
    local, _ = example
    request = request_of("POST", "/accounts/ann/open", headers={"x-tenant": "base64"}) | {
        "body": b64encode(b'{"owner": "Ann"}').decode(),
        "isBase64Encoded": True,
    }

    assert local.application.command_handler(request)["statusCode"] == 202
    assert local.application.command_handler(request | {"body": "?"})["statusCode"] == 400


@pytest.mark.parametrize("owner", ["Ann", "Ünal Ö.", "安", "🙂", "<b>Ann</b>", "n" * 100])
def test_a_name_may_be_any_visible_text(front, owner):
    assert front.post(f"{quote('konto ' + 'ä')}/open", {"owner": owner}).status == 202
    assert front.stored("konto ä") == [f"Opened(owner={owner!r})"]


def test_the_page_runs_nothing_but_its_own_script_and_asks_nobody_else(front):
    page = front.send("GET", "/", b"", {})

    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    for kind, tag in (("style-src", "style"), ("script-src", "script")):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", page.body, re.DOTALL)
        digest = b64encode(sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert re.findall(r"(?:src|href)=\"(?!data:|#)", page.body) == []
    assert "innerHTML" not in page.body


def test_a_request_its_reply_and_its_events_share_a_correlation_id(front):
    opened = front.post("ann/open", {"owner": "Ann"}, x_correlation_id="order-7")
    deposited = front.post("ann/deposit", {"amount": 5})
    odd = front.post("ann/deposit", {"amount": 5}, x_correlation_id="no\tplain id")
    refused = front.post("ann/deposit", {"amount": -5}, x_correlation_id="order-8")

    assert opened.headers["x-correlation-id"] == "order-7"
    assert refused.headers["x-correlation-id"] == "order-8"
    assert odd.headers["x-correlation-id"] != "no\tplain id"
    store = front.backend.in_tenant(front.tenant).event_store
    events = store.load_stream(StreamId(name="ann", category="account"))
    assert [one.context.correlation_id for one in events] == [
        reply.headers["x-correlation-id"] for reply in (opened, deposited, odd)
    ]


def test_a_request_without_a_tenant_reaches_nobody(front):
    body = b'{"owner": "Ann"}'

    assert front.send("POST", "/accounts/ann/open", body, {}).status == 401
    assert front.send("GET", "/accounts/ann", b"", {}).status == 401


TEXT = st.text(st.characters(exclude_categories=()), max_size=8)
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.lists(TEXT, max_size=2)
BODIES = (
    st.binary(max_size=30)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | VALUES.map(lambda value: json.dumps({"owner": value, "amount": value}).encode())
)
HEADER = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12).map(str.strip)
HEADERS = st.fixed_dictionaries(
    {}, optional={"if-match": HEADER, "if-none-match": HEADER, "idempotency-key": HEADER}
)


@settings(max_examples=100)
@given(
    place=st.binary(min_size=1, max_size=8).map(lambda name: quote(name, safe="")),
    command=st.sampled_from(["open", "deposit", "withdraw", "x"]),
    body=BODIES,
    headers=HEADERS,
)
def test_both_fronts_answer_any_request_alike(example, place, command, body, headers):
    local, sends = example
    answers = []
    for send in sends.values():
        before = local.backend.log.last_position
        given = {"x-tenant": f"tenant {next(_numbers)}"} | headers
        answers.append(send("POST", f"/accounts/{place}/{command}", body, given))
        if answers[-1].status >= 400:
            assert local.backend.log.last_position == before

    web, function = answers
    assert web.status < 500, web
    if "%2F" not in place and place not in {".", ".."}:  # another path for a web server
        assert web.status == function.status, (web, function)
