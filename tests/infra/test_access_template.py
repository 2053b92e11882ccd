"""infra/access.yaml: each policy allows exactly the requests of its role's operations."""

from __future__ import annotations

import ast
import inspect
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynamo_es import DynamoBackend, ExplicitVersioning, StreamId
from dynamo_es.contracts.stream_keys import tenant_prefix
from dynamo_es.dynamodb.consumers import (
    checkpoint_requests,
    checkpoints,
    cursor_requests,
    cursor_writes,
    cursors,
    leases,
    live_versions,
    outbox_requests,
    parked_requests,
)
from dynamo_es.dynamodb.log import minutes, registry, set_aside
from dynamo_es.dynamodb.log import requests as log_requests
from dynamo_es.dynamodb.streams import requests
from dynamo_es.dynamodb.streams.boundaries import states
from dynamo_es.dynamodb.subject_keys import requests as key_requests
from dynamo_es.dynamodb.table_stream import requests as stream_requests
from dynamo_es.dynamodb.tag_index import items as tag_index
from dynamo_es.testing.conformance.language import events
from tests.infra import operations, operators
from tests.infra.kinds_of_streams import (
    CRASHED,
    KINDS,
    another_process,
    append_split,
    crashed,
    make_all,
)
from tests.infra.policies import (
    PATH,
    PERMISSIONS,
    POLICIES,
    TEMPLATE,
    Call,
    Statement,
    calls_of,
    refused,
    rows_of,
    statements,
    unused,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from dynamo_es.dynamodb.wire import steps

# Every role does everything with streams of every kind: half a minute.
pytestmark = pytest.mark.ci

MODULES: Final = (
    requests,
    key_requests,
    log_requests,
    stream_requests,
    checkpoint_requests,
    checkpoints,
    leases,
    cursor_requests,
    cursor_writes,
    cursors,
    outbox_requests,
    parked_requests,
    live_versions,
    set_aside,
    registry,
    minutes,
    states,
    tag_index,
)
"""All that build requests of roles. Only the scans of `maintenance` are elsewhere."""


def builders(module: ModuleType) -> set[str]:
    """Return the functions of a module that build requests."""
    return {
        f"{module.__name__}.{function.name}"
        for function in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Request"
    }


class Sent(dict[str, list[Call]]):
    """What each role has sent, and which functions have built that.

    Attributes:
        builders: names of functions, with their modules.
    """

    def __init__(self) -> None:
        super().__init__()
        self.builders: set[str] = set()


@pytest.fixture(scope="module")
def sent() -> Sent:
    return all_that_is_sent()


def all_that_is_sent() -> Sent:
    """Return what is sent when every role does everything with streams of every kind."""
    found = Sent()
    with pytest.MonkeyPatch.context() as patch:
        for module in MODULES:
            patch.setattr(module, "Request", _noting(module, found.builders))
        _run(found)
    return found


def _noting(module: ModuleType, noted: set[str]) -> Callable[..., Any]:
    def build(*arguments: Any) -> steps.Request:
        frame = inspect.currentframe()
        assert frame is not None
        assert frame.f_back is not None
        noted.add(f"{module.__name__}.{frame.f_back.f_code.co_name}")
        return original(*arguments)

    original = module.Request
    return build


def _run(found: Sent) -> None:
    with DynamoBackend.local(sequencing="stream") as every_tenants:
        backend = every_tenants.in_tenant("acme")
        streams = make_all(backend, KINDS)
        records = operations.Records(every_tenants)
        with calls_of(backend) as found["Sequencers"]:
            operations.sequence(every_tenants, records)
        operations.leave_a_place(backend)
        with calls_of(backend) as found["Pollers"]:
            operations.poll(every_tenants, records)
        with calls_of(backend) as found["Readers"]:
            for stream in streams.values():
                operations.load(backend, stream)
            operations.read_log(every_tenants.in_tenant("acme"))
        with calls_of(backend) as found["Consumers"]:
            operations.consume(every_tenants, records)
        with calls_of(backend) as found["Writers"]:
            for stream in streams.values():
                operations.write(backend, stream)
            for kind in ("short", "missing", "created again below many fences"):
                operations.write_in_bad_times(backend, streams[kind])
        with calls_of(backend) as found["Deleters"]:
            for stream in streams.values():
                operations.erase(backend, stream)
        _run_on_crashed(every_tenants, found)
        _run_tag_index(backend, found)
        _operate(every_tenants, found)
    with DynamoBackend.local(sequencing="inline") as backend, calls_of(backend) as calls:
        found["Inline"] = calls
        kinds = {"short": KINDS["short"], "crashed": crashed(4)}
        for stream in make_all(backend, kinds).values():
            operations.write(backend, stream)
        again = StreamId()
        stored = events(again, 1)
        for _ in range(2):
            another_process(backend).storage.insert_events(again, ExplicitVersioning(0), stored)
    _run_with_a_log_of_each_tenant(found)


def _run_tag_index(backend: DynamoBackend, found: Sent) -> None:
    def sends(role: str, operate: Callable[[DynamoBackend], None]) -> None:
        with calls_of(backend) as calls:
            operate(backend)
        found[role] += calls

    sends("Writers", operations.grow_boundary)
    sends("Writers", operations.save_state)
    sends("Consumers", operations.index)
    for role in ("Readers", "Writers", "Consumers"):
        sends(role, operations.read_by_tags)
    for create_again in (True, False):
        operations.erase_boundary_alone(backend)
        if create_again:
            sends("Writers", operations.grow_boundary)
        sends("Consumers", operations.index)
    sends("Writers", operations.grow_boundary)
    sends("Writers", operations.save_state)
    sends("Consumers", operations.index)
    sends("Deleters", operations.erase_boundary)


def _run_with_a_log_of_each_tenant(found: Sent) -> None:
    with DynamoBackend.local(sequencing="stream", log_scope="tenant") as every_tenants:
        every_tenants.clear()  # what the creation of the tables has put there
        backend = every_tenants.in_tenant("acme")
        make_all(backend, {"short": KINDS["short"], "straddling": KINDS["straddling"]})
        records = operations.Records(every_tenants)
        for role, operate in (
            ("Sequencers", lambda: operations.sequence(every_tenants, records)),
            ("Readers", lambda: operations.read_log(backend)),
            ("Consumers", lambda: operations.consume(backend, records)),
            ("Consumers", lambda: operations.consume_all(every_tenants)),
        ):
            with calls_of(backend) as calls:
                operate()
            found[role] += calls
    with DynamoBackend.local(log_scope="tenant") as every_tenants:
        with calls_of(every_tenants) as calls:
            operations.work_as_one_tenant(every_tenants.with_outbox().in_tenant("acme"))
        found["Session"] = calls


def _operate(backend: DynamoBackend, found: Sent) -> None:
    operators.prepare(backend)
    with calls_of(backend) as calls:

        def damage(what: Callable[[], None]) -> None:
            before = len(calls)
            what()
            del calls[before:]

        operators.operate(backend, damage)
    found["Operators"] = calls


def _run_on_crashed(backend: DynamoBackend, found: Sent) -> None:
    for role, operate in (("Creators", operations.write), ("Erasers", operations.erase)):
        streams = make_all(backend.in_tenant(role), CRASHED)
        with calls_of(backend) as found[role]:
            for stream in streams.values():
                operate(backend.in_tenant(role), stream)


@pytest.mark.ci
def test_cfn_lint_has_no_findings():
    from cfnlint.api import lint_file  # type: ignore[import-untyped]  # takes a second to load

    assert lint_file(PATH) == []


ROLES = ["Writers", "Readers", "Deleters", "Sequencers", "Pollers", "Consumers", "Operators"]
TOGETHER = {
    "Pollers": ["Pollers", "Sequencers"],
    "Creators": ["Writers", "Deleters"],
    "Erasers": ["Deleters"],
    "Inline": ["Writers", "Deleters", "Sequencers"],
}
"""Policies that what they do takes, where it is not the one of the same name."""


@pytest.mark.parametrize("role", [*ROLES, "Creators", "Erasers", "Inline"])
def test_a_role_may_do_what_its_operations_send(sent, role):
    assert refused(TOGETHER.get(role, [role]), sent[role]) == set()


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_no_more(sent, role):
    assert unused(role, sent[role]) == set()


def test_the_page_of_permissions_shows_what_was_sent(sent):
    shown = PERMISSIONS.read_text(encoding="utf-8")
    assert "\n".join(rows_of(sent)) in shown, "run python -m tests.infra.permissions"


def test_every_request_that_the_library_can_build_is_among_them(sent):
    assert set().union(*map(builders, MODULES)) - sent.builders == set()


def test_every_module_that_builds_requests_for_the_tables_is_looked_at():
    from dynamo_es import dynamodb

    root = PATH.parent.parent / "dynamo_es" / "dynamodb"
    assert dynamodb.__file__ is not None
    building = {
        path.relative_to(root).with_suffix("").as_posix()
        for path in root.rglob("*.py")
        if re.search(r"\bRequest\(", path.read_text(encoding="utf-8"))
    }
    known = {
        module.__name__.removeprefix("dynamo_es.dynamodb.").replace(".", "/") for module in MODULES
    }
    assert building - known == OPERATORS


OPERATORS = {
    *("maintenance/comparison", "maintenance/verify", "maintenance/inspection"),
    *("maintenance/torn", "maintenance/put_back"),
    "consumers/finder",
    "wire/steps",
    "wire/partiql/statements",
}
"""`dynamo-es log repair`, `log verify` and `ui` read whole tables, which only operators may.

``wire/steps`` defines what a request is, and ``wire/partiql/statements`` puts statements into one.
"""


def test_a_cold_load_below_many_fences_reads_an_item(sent):
    for role in ("Readers", "Consumers", "Writers"):
        assert any((call.table, call.action) == ("events", "GetItem") for call in sent[role])


def test_nobody_scans_and_writers_delete_nothing():
    for policy in POLICIES:
        actions = {action for one in statements(policy) for action in one.actions}
        assert ("Scan" in actions) == (policy == "Operators")
        assert not any("*" in action for action in actions)
    for policy in ("Writers", "OneTenant", "Readers", "Sequencers"):
        assert not any("DeleteItem" in one.actions for one in statements(policy))


def test_consumers_and_sequencers_keep_out_of_each_others_items():
    def writes(policy: str) -> Statement:
        (found,) = (one for one in statements(policy) if one.keys is not None)
        return found

    for key in ("log", "acme#streams#order#7"):
        assert writes("Sequencers").allows(Call("log", "PutItem", key))
        assert not writes("Consumers").allows(Call("log", "PutItem", key))
    for key in (
        *("checkpoint#x", "acme#checkpoint#x", "consumers"),
        *("acme#cursor#x#order#7", "outbox#outbox", "acme#outbox#outbox"),
        *("parked", "parked#x", "acme#parked", "acme#parked#x", "skipped#x", "acme#skipped#x"),
    ):
        assert writes("Consumers").allows(Call("log", "PutItem", key))
        assert not writes("Sequencers").allows(Call("log", "PutItem", key))


texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.text("#%*?$a{}:", max_size=8)


@settings(max_examples=12)
@given(tenant=texts, category=st.none() | texts)
def test_whatever_a_tenant_is_called_its_requests_begin_with_it(shared, tenant, category):
    backend = shared.in_tenant(tenant)
    stream = StreamId(category=category)

    with calls_of(shared) as calls:
        operations.write(backend, stream)
        operations.erase(backend, stream)

    assert {call.table for call in calls} == {"events", "keys"}
    wall = tenant_prefix(tenant)
    assert all(call.key is not None and call.key.startswith(wall) for call in calls)
    # And of no other tenant: the wall's end is not part of any tenant's name.
    assert all(call.key is not None and call.key.index("#") == len(wall) - 1 for call in calls)


def test_an_append_of_several_items_stays_behind_the_wall(shared):
    stream = StreamId()

    with calls_of(shared) as calls:
        append_split(shared.in_tenant("acme"), stream)

    assert calls[-2:] == [Call("events", "PutItem", f"acme##{stream}")] * 2


def test_one_tenant_may_do_what_a_writer_does_in_its_own_streams_only(sent):
    calls = set(sent["Writers"])

    allowed = statements("OneTenant")
    assert {(call.table, call.action) for call in calls} <= {
        (one.table, action) for one in allowed for action in one.actions
    }
    for call in calls:
        assert any(one.allows(call, "acme") for one in allowed)
        for other in ("acm", "acme2", "", "umbrella"):
            assert not any(one.allows(call, other) for one in allowed)
    assert statements("OneTenant")[0].actions == statements("Writers")[0].actions
    for statement in TEMPLATE["Resources"]["OneTenant"]["Properties"]["PolicyDocument"][
        "Statement"
    ]:
        assert statement["Condition"]["Null"]["aws:PrincipalTag/tenant"] == "false"


def test_one_tenant_may_do_everything_in_its_own_log_and_nothing_in_others(sent):
    calls = set(sent["Session"])

    allowed = [*statements("OneTenant"), *statements("OneTenantLog")]
    for call in calls:
        assert any(one.allows(call, "acme") for one in allowed), call
        if call.key in {"logs", "log"}:
            continue
        for other in ("acm", "acme2", "", "umbrella"):
            assert not any(one.allows(call, other) for one in allowed), call
    of_no_tenant = {call for call in calls if not str(call.key).startswith("acme#")}
    assert of_no_tenant == {
        Call("log", "PutItem", "logs"),
        Call("log", "GetItem", "log", frozenset({"log_key", "place", "log_scope"})),
    }
    used = {(call.table, call.action) for call in calls}
    for one in statements("OneTenantLog"):
        assert {(one.table, action) for action in one.actions} <= used


def test_a_session_reads_no_page_of_a_log_of_all_tenants():
    allowed = [*statements("OneTenant"), *statements("OneTenantLog")]
    for action, attributes in (
        ("GetItem", None),
        ("GetItem", frozenset({"place", "pointers"})),
        ("Query", None),
        ("Query", frozenset({"place"})),
        ("BatchGetItem", None),
        ("PutItem", None),
    ):
        call = Call("log", action, "log", attributes)
        assert not any(one.allows(call, "acme") for one in allowed)
    for action in ("GetItem", "Query", "DeleteItem", "UpdateItem"):
        assert not any(one.allows(Call("log", action, "logs"), "acme") for one in allowed)


def test_an_empty_tag_is_not_the_default_tenant(shared):
    with calls_of(shared) as calls:
        stream = StreamId(category="order")  # of the default tenant, whose keys begin with "#"
        shared.storage.insert_events(stream, ExplicitVersioning(0), events(stream, 1))

    for call in calls:
        assert not any(one.allows(call, "") for one in statements("OneTenant"))


def test_the_trust_policy_of_the_guide_takes_no_empty_tag():
    guide = (PATH.parents[1] / "docs" / "how-to" / "tenants.md").read_text(encoding="utf-8")
    (trusted,) = re.findall(r'"aws:RequestTag/tenant": "([^"]*)"', guide)
    assert fnmatchcase("acme", trusted)
    assert not fnmatchcase("", trusted)


@pytest.fixture(scope="module")
def shared() -> Iterator[DynamoBackend]:
    with DynamoBackend.local(sequencing="stream") as backend:
        yield backend
