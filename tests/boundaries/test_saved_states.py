"""A decision on saved states is the decision on all events, and costs less to read."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import pytest

from dynamo_es import (
    DataSubject,
    Decision,
    DecisionModel,
    Encrypted,
    Event,
    MemoryBackend,
    Query,
    Snapshot,
    Tag,
)
from dynamo_es.boundaries import fingerprints, saved_states
from dynamo_es.boundaries.deciding import Deciding
from dynamo_es.boundaries.saved_states import FollowedModel, SavedStates
from dynamo_es.contracts.boundaries import strategy as contract
from dynamo_es.contracts.boundaries.states import Part
from dynamo_es.contracts.boundaries.strategy import boundary_stream
from dynamo_es.exceptions import (
    BoundaryConflictError,
    DecisionDefinitionError,
    InputError,
    ThrottledError,
)


class Joined(Event):
    __event_name__ = "test.joined"

    club: Annotated[str, Tag("club")]
    member: Annotated[str, Tag("member")]


class Members(Snapshot):
    __event_name__ = "test.members"
    __schema_version__: ClassVar[int] = 2

    names: list[str]


class MembersOf(DecisionModel):
    """Says, beside its state, which events were applied to it."""

    def __init__(self, club: str, most: int = 100) -> None:
        self.query = Query(types=[Joined], tags=[Tag("club", club)])
        self.most = most
        self.names: list[str] = []

    def __apply__(self, event: Joined) -> None:
        if len(self.names) < self.most:
            self.names.append(event.member)
        Join.applied.append(event.member)

    def __snapshot__(self) -> Members:
        return Members(names=self.names)

    def __restore__(self, state: Members) -> None:
        self.names = list(state.names)


@dataclass
class Command:
    member: str
    club: str = "chess"
    most: int = 100


class Join(Decision):
    """Keeps what it was decided on."""

    applied: ClassVar[list[str]] = []
    decided: ClassVar[list[list[str]]] = []
    careless: ClassVar[bool] = False

    def __init__(self, command: Command) -> None:
        self.applied.clear()
        self.command = command
        self.members = self.use(MembersOf(command.club, command.most))

    def decide(self):
        self.decided.append(list(self.members.names))
        if self.careless:
            self.members.names.append("nobody")
        return Joined(club=self.command.club, member=self.command.member)


@dataclass
class Club:
    """A boundary as processes of its own see it, each of which saves states."""

    engine: Any
    name: str
    every: int = 3

    def boundary(self):
        backend = self.engine.fresh_process()
        return backend.boundary(self.name, snapshot_every=self.every)

    def join(self, *members, **command):
        """Each member joins by a process of its own; return what the last decided on."""
        for member in members:
            self.boundary().decide(Join, Command(member, **command))
        return Join.decided[-1]

    def delete(self):
        self.engine.fresh_process().storage.delete_stream(boundary_stream(self.name))


@pytest.fixture
def club(engine, name):
    Join.decided.clear()
    Join.careless = False
    return Club(engine, name)


def used(*members):
    """Whether the last decision got these members by events, and all others by a state."""
    return Join.applied == list(members)


def test_a_decision_begins_with_a_saved_state(club):
    assert club.join(*"abcde") == [*"abcd"]
    assert used("d")  # the state is of the read that the decision of d was made on
    assert club.join("f") == [*"abcde"]
    assert used("d", "e")


def test_a_state_is_saved_once_its_model_got_so_many_events(club):
    club.join(*"abcdefgh")
    assert used("g")
    club.every = 100
    club.join("i")
    assert used("g", "h")


def test_without_snapshot_every_states_are_neither_saved_nor_used(club, engine, name):
    club.join(*"abcde")
    engine.fresh_process().boundary(name).decide(Join, Command("f"))
    assert used(*"abcde")


def test_a_model_without_a_snapshot_gets_all_events(club):
    class Counted(DecisionModel):
        def __init__(self, club):
            self.query = Query(types=[Joined], tags=[Tag("club", club)])
            self.number = 0

        def __apply__(self, event):
            self.number += 1

    class JoinCounted(Join):
        def __init__(self, command):
            super().__init__(command)
            self.counted = self.use(Counted(command.club))

        def decide(self):
            counts.append(self.counted.number)
            return super().decide()

    counts: list[int] = []
    for member in "abcde":
        club.boundary().decide(JoinCounted, Command(member))
    assert counts == [0, 1, 2, 3, 4]
    assert used("d")


def test_events_of_others_do_not_make_a_state_due(club):
    for member in "abcd":
        club.join(member, club="chess")
        club.join(member, club="go")
    assert used(*"abc")
    club.join("e", club="go")
    assert used("d")


def test_after_a_deletion_decisions_begin_anew(club):
    club.join(*"abcde")
    club.delete()
    assert club.join("x") == []
    assert club.join("y", "z", "v", "w") == ["x", "y", "z", "v"]
    assert used("v")


def test_a_process_that_knows_a_state_of_a_deleted_boundary_begins_anew(club):
    late = club.boundary()
    for member in "abcde":
        late.decide(Join, Command(member))
    club.delete()
    club.join("x", "y")
    late.decide(Join, Command("z"))
    assert Join.decided[-1] == ["x", "y"]


def test_a_state_of_another_generation_is_not_used(club):
    """A slow process may save a state after the deletion: the store has one that it cannot use."""
    club.join(*"abcde")
    left = _saved(club)
    club.delete()
    club.join(*"vwxyz")
    _with_state(club, left).decide(Join, Command("last"))
    assert Join.decided[-1] == [*"vwxyz"]


def _key(club, **command):
    model = MembersOf("chess", **command)
    stream = club.boundary()._stream
    return fingerprints.fingerprint(model, stream.resolved(model.query))


def _saved(club):
    [state] = club.boundary()._stream.storage.fetch_states(boundary_stream(club.name), [_key(club)])
    assert state is not None
    return state


def _with_state(club, state):
    """Return a boundary in whose storage a state is saved, whatever the key."""
    boundary = club.boundary()
    storage = boundary._stream.storage
    storage.fetch_states = lambda _, keys: [state] * len(keys)
    return boundary


def test_a_state_ahead_of_the_boundary_is_not_used(club):
    club.join(*"abcde")
    ahead = replace(_saved(club), version=6)
    _with_state(club, ahead).decide(Join, Command("f"))
    assert Join.decided[-1] == [*"abcde"]


def test_models_of_other_arguments_have_states_of_their_own(club):
    club.join(*"abcde", most=2)
    assert club.join("f", most=2) == [*"ab"]
    assert club.join("g", most=4) == [*"abcd"]


def test_models_of_another_class_have_states_of_their_own(club):
    class Others(MembersOf):
        def __apply__(self, event):
            self.names.insert(0, event.member)

    class JoinOthers(Join):
        def __init__(self, command):
            super().__init__(command)
            self.members = self.use(Others(command.club))

    club.join(*"abcde")
    club.boundary().decide(JoinOthers, Command("f"))
    assert Join.decided[-1] == [*"edcba"]


def test_a_state_of_another_schema_is_not_used(club, monkeypatch):
    club.join(*"abcde")
    old = _saved(club)
    for stored in (1, 3):
        other = replace(old, context=old.context | {"$schema": stored}, data={"names": ["wrong"]})
        _with_state(club, other).decide(Join, Command(f"f{stored}"))
        assert Join.decided[-1][:5] == [*"abcde"]


@pytest.mark.parametrize(
    "wrong", [{"name": "test.unheard_of"}, {"data": {"members": 5}}, {"name": "test.joined"}]
)
def test_a_state_that_cannot_be_read_is_not_used(club, wrong):
    club.join(*"abcde")
    _with_state(club, replace(_saved(club), **wrong)).decide(Join, Command("f"))
    assert Join.decided[-1] == [*"abcde"]


def test_a_command_is_decided_once_however_old_it_is(club):
    first = club.boundary().decide(Join, Command("a"), command_id="first")
    club.join(*"bcdefg")
    again = club.boundary().decide(Join, Command("a"), command_id="first")
    assert (again.version, again.repeated) == (first.version, True)
    assert len(club.join("h")) == 7


def test_what_a_decision_does_to_its_models_is_not_saved(club):
    Join.careless = True
    assert club.join(*"abcde") == [*"abcd"]


def test_after_a_conflict_the_state_and_the_faster_events_count_once(club):
    club.join(*"abcde")
    racing: list[str] = ["x", "y"]

    class Racing(Join):
        def decide(self):
            if racing:
                member = racing.pop(0)
                before = list(Join.applied)
                club.boundary().decide(Join, Command(member))
                Join.applied[:] = before
            return super().decide()

    club.boundary().decide(Racing, Command("f"))
    assert Join.decided[-1] == [*"abcde", "x", "y"]
    assert club.join("g") == [*"abcde", "x", "y", "f"]


def _throttled(*_):
    raise ThrottledError("PutItem", "Throttling", "too fast", "table")


def test_a_state_that_is_not_saved_fails_no_command(club, caplog):
    for member in "abcde":
        boundary = club.boundary()
        boundary._stream.storage.save_state = _throttled
        with caplog.at_level(logging.WARNING):
            boundary.decide(Join, Command(member))
    assert Join.decided[-1] == [*"abcd"]
    assert "states of models were not saved: ThrottledError" in caplog.text


def test_states_that_are_not_read_fail_no_command(club, caplog):
    club.join(*"abcde")
    boundary = club.boundary()
    boundary._stream.storage.fetch_states = _throttled
    boundary.decide(Join, Command("f"))
    assert Join.decided[-1] == [*"abcde"]
    assert "states of models were not read: ThrottledError" in caplog.text


def test_a_snapshot_that_raises_fails_no_command(club, monkeypatch, caplog):
    def broken(_):
        raise RuntimeError

    monkeypatch.setattr(MembersOf, "__snapshot__", broken)
    assert club.join(*"abcde") == [*"abcd"]
    assert "were not saved: RuntimeError" in caplog.text


def test_a_restore_that_raises_is_an_error_of_the_application(club, monkeypatch):
    def broken(*_):
        raise KeyError

    club.join(*"abcde")
    monkeypatch.setattr(MembersOf, "__restore__", broken)
    with pytest.raises(KeyError):
        club.join("f")


def test_a_refused_command_saves_nothing(club):
    class Refusing(Join):
        def decide(self):
            raise PermissionError

    club.every = 100
    club.join(*"abcde")
    club.every = 3
    with pytest.raises(PermissionError):
        club.boundary().decide(Refusing, Command("f"))
    club.join("f")
    assert used(*"abcde")


def test_encrypted_states_are_for_those_who_have_the_key(engine, name):
    class Secret(Event):
        __event_name__ = "test.secret"

        who: Annotated[str, Tag("who"), DataSubject]
        text: Annotated[str | None, Encrypted(mask_value=None)]

    class Secrets(Snapshot):
        __event_name__ = "test.secrets"

        who: Annotated[str, DataSubject]
        text: Annotated[str | None, Encrypted(mask_value=None)]

    class SecretOf(DecisionModel):
        def __init__(self, who):
            self.query = Query(types=[Secret], tags=[Tag("who", who)])
            self.who = who
            self.text = None
            seen.append(self)

        def __apply__(self, event):
            self.text = event.text

        def __snapshot__(self):
            return Secrets(who=self.who, text=self.text)

        def __restore__(self, state):
            self.text = state.text

    class Tell(Decision):
        def __init__(self, text):
            self.text = text
            self.secret = self.use(SecretOf("ann"))

        def decide(self):
            return Secret(who="ann", text=self.text)

    seen: list[SecretOf] = []
    backend = engine.fresh_process()
    for text in ("one", "two", "three"):
        backend.boundary(name, snapshot_every=2).decide(Tell, text)
    query = Query(types=["test.secret"], tags=[Tag("who", "ann")])
    key = fingerprints.fingerprint(SecretOf("ann"), query)
    [stored] = backend.storage.fetch_states(boundary_stream(name), [key])
    assert stored is not None
    assert "two" not in str(stored.data)
    backend.boundary(name, snapshot_every=2).decide(Tell, "four")
    assert seen[-1].text == "three"
    backend.encryption.shred("ann")
    fresh = engine.fresh_process()
    fresh.boundary(name, snapshot_every=2).decide(Tell, None)
    assert seen[-1].text is None


class TestFingerprints:
    def test_attributes_of_all_kinds_count(self):
        made = [MembersOf("chess") for _ in range(2)]
        queries = [Query(types=["test.joined"], tags=[Tag("club", "chess")])] * 2
        alike = {fingerprints.fingerprint(*pair) for pair in zip(made, queries, strict=True)}
        assert len(alike) == 1
        values = [1, "1", True, None, 1.0, [1], (1,), {1}, {"a": 1}, b"1", Tag("a", "1"), Joined]
        seen = set()
        for value in values:
            made[0].value = value  # type: ignore[attr-defined]
            seen.add(fingerprints.fingerprint(made[0], queries[0]))
        assert len(seen) == len(values)

    def test_the_order_of_a_set_does_not_count(self):
        query = Query(types=["test.joined"])
        one, other = MembersOf("chess"), MembersOf("chess")
        one.value, other.value = {"a", "b", "c"}, {"c", "b", "a"}  # type: ignore[attr-defined]
        assert fingerprints.fingerprint(one, query) == fingerprints.fingerprint(other, query)

    def test_the_query_counts(self):
        model = MembersOf("chess")
        queries = [
            Query(types=["a"]),
            Query(tags=[Tag("a", "b")]),
            Query(types=["a", "b"]),
            Query(types=["a"]) | Query(types=["b"]),
            Query(types=["a"], tags=[Tag("a", "b")]),
            Query.everything(),
        ]
        assert len({fingerprints.fingerprint(model, query) for query in queries}) == len(queries)
        either = Query(types=["b"]) | Query(types=["a"])
        assert fingerprints.fingerprint(model, either) == fingerprints.fingerprint(
            model, queries[3]
        )

    def test_an_attribute_that_cannot_be_compared_is_refused(self, club):
        class Clocked(Join):
            def __init__(self, command):
                super().__init__(command)
                self.members.clock = logging.getLogger()  # type: ignore[attr-defined]

        with pytest.raises(DecisionDefinitionError, match=r"MembersOf\.clock is of type"):
            club.boundary().decide(Clocked, Command("a"))
        club.engine.fresh_process().boundary(club.name).decide(Clocked, Command("a"))


@pytest.mark.parametrize("wrong", [0, -1, True, "3", 1.5])
def test_the_number_of_events_is_checked(wrong):
    with pytest.raises(InputError, match="snapshot_every must be"):
        MemoryBackend().boundary("club", snapshot_every=wrong)


def test_hooks_of_states_cannot_be_asynchronous():
    for hook in ("__snapshot__", "__restore__"):

        async def later(*_): ...

        with pytest.raises(DecisionDefinitionError, match="asynchronous"):
            type("Slow", (DecisionModel,), {hook: later})


def _constant_key(patch):
    patch.setattr(saved_states, "fingerprint", lambda *_: "key")


def _attributes_do_not_count(patch):
    patch.setattr(fingerprints, "_attributes", lambda _: {})


def _generation_is_ignored(patch):
    patch.setattr(contract, "is_before", lambda head, after: after is not None and head < after)


def _reach_is_ignored(patch):
    patch.setattr(contract, "is_before", lambda *_: False)


def _schema_is_ignored(patch):
    def take_as_it_is(self, raw):
        return self._stream.serde.deserialize(
            replace(raw, context=raw.context | {"$schema": 2})
        ).event

    patch.setattr(SavedStates, "_read", take_as_it_is)


def _events_count_twice(patch):
    patch.setattr(FollowedModel, "part", property(lambda self: Part(self.query)))


def _events_after_the_state_are_not_read(patch):
    def begin(self):
        found = self._stream.fetch_parts(self._parts())
        self._states.load()
        self._states.restore()
        self._head = found.head

    patch.setattr(Deciding, "_begin", begin)


def _commands_begin_at_the_state(patch):
    def parts(self):
        return [replace(each.part, query=self._query) for each in self._followed]

    patch.setattr(Deciding, "_parts", parts)


def _states_are_taken_after_the_decision(patch):
    take, save = SavedStates.take, SavedStates.save

    def take_later(self, head):
        self.head = head

    def save_all(self):
        take(self, self.head)
        save(self)

    patch.setattr(SavedStates, "take", take_later)
    patch.setattr(SavedStates, "save", save_all)


@pytest.mark.ci
@pytest.mark.parametrize(
    ("broken", "case"),
    [
        (_constant_key, test_models_of_another_class_have_states_of_their_own),
        (_attributes_do_not_count, test_models_of_other_arguments_have_states_of_their_own),
        (_generation_is_ignored, test_a_state_of_another_generation_is_not_used),
        (_reach_is_ignored, test_a_state_ahead_of_the_boundary_is_not_used),
        (_events_count_twice, test_a_decision_begins_with_a_saved_state),
        (_events_after_the_state_are_not_read, test_a_decision_begins_with_a_saved_state),
        (_commands_begin_at_the_state, test_a_command_is_decided_once_however_old_it_is),
        (
            _states_are_taken_after_the_decision,
            test_what_a_decision_does_to_its_models_is_not_saved,
        ),
    ],
    ids=lambda value: value.__name__.removeprefix("_").removeprefix("test_"),
)
def test_states_that_are_broken_are_noticed(club, monkeypatch, broken, case):
    broken(monkeypatch)
    with pytest.raises((AssertionError, BoundaryConflictError)):
        case(club)


@pytest.mark.ci
def test_a_schema_that_is_ignored_is_noticed(club, monkeypatch):
    _schema_is_ignored(monkeypatch)
    with pytest.raises(AssertionError):
        test_a_state_of_another_schema_is_not_used(club, monkeypatch)
