"""A backend that `in_tenant` returned reads only its tenant's part, in every way."""

from datetime import timedelta

import pytest

from dynamo_es import Event, StreamId
from dynamo_es.exceptions import (
    InvalidConsumerError,
    InvalidSubscriptionError,
    UnknownConsumerError,
)

pytestmark = [pytest.mark.inline, pytest.mark.usefixtures("subscriptions_wait_in_no_time")]

SOON = timedelta(seconds=0.1)


class Secret(Event):
    __event_name__ = "scope.Secret"

    of: str


@pytest.fixture
def backend(world):
    return world.backend()


@pytest.fixture
def start(backend):
    """Where the log ends before both tenants have a stream of one id, with an event each."""
    before = backend.log.last_position or 0
    stream = StreamId(name=f"the same {before}", category="Scoped")
    for tenant in ("", "acme", "umbrella"):
        backend.in_tenant(tenant).event_store.append(Secret(of=tenant), stream_id=stream)
    return before


@pytest.fixture
def stream(start):
    return StreamId(name=f"the same {start}", category="Scoped")


@pytest.fixture
def acme(backend):
    return backend.in_tenant("acme")


def owners(records):
    return [record.tenant_id for record in records]


def test_subscriptions_give_that_tenants_events_only(acme, start):
    subscriptions = acme.subscriptions
    for subscribed in (
        subscriptions.subscribe_to_all(start, 9, SOON),
        subscriptions.subscribe_to_all(start, 9, SOON, tenant_id="acme"),
        subscriptions.subscribe_to_category(start, 9, SOON, "Scoped"),
        subscriptions.subscribe_to_events(start, 9, SOON, ["scope.Secret"]),
    ):
        assert owners(next(subscribed)) == ["acme"]
    with pytest.raises(InvalidSubscriptionError, match="tenant 'acme' only, not those of 'umbr"):
        subscriptions.subscribe_to_all(start, 9, SOON, tenant_id="umbrella")


def test_so_does_the_log(acme, backend, start, stream):
    assert owners(acme.log.reader(start).read()) == ["acme"]
    assert acme.log.last_position == backend.log.last_position
    assert stream in {found.stream_id for found in acme.log.streams("Scoped", "acme")}
    with pytest.raises(InvalidSubscriptionError, match="'umbrella'"):
        acme.log.streams("Scoped", "umbrella")


def test_a_subscriber_cannot_choose_another_tenant(acme, backend, start):
    begun = acme.subscriber.after(start)
    assert owners(next(begun.build_batch(9, 0.1))) == ["acme"]
    assert owners(next(begun.in_tenant("acme").build_batch(9, 0.1))) == ["acme"]
    with pytest.raises(InvalidSubscriptionError, match="'umbrella'"):
        begun.in_tenant("umbrella")
    of_all = backend.subscriber.after(start)
    assert owners(next(of_all.in_tenant("acme").in_tenant("umbrella").build_batch(9, 0.1))) == [
        "umbrella"
    ]


def test_a_projector_falls_back_to_its_own_tenant_and_refuses_others(acme, stream):
    seen = []
    projector = acme.projector(f"scoped {stream}", lambda event, _: seen.append(event.event.of))
    (event,) = acme.event_store.load_stream(stream)

    assert projector.project(event, stream) == 1
    assert projector.project(event, stream, "acme") == 0
    with pytest.raises(InvalidSubscriptionError, match="'umbrella'"):
        projector.project(event, stream, "umbrella")
    assert seen == ["acme"]


def test_an_event_of_another_tenant_is_not_read(acme, backend, start):
    raws = backend.log.reader(start).read()

    assert [acme.deserialize(raw).tenant_id for raw in raws if raw.tenant_id == "acme"] == ["acme"]
    with pytest.raises(InvalidSubscriptionError, match="'umbrella'"):
        acme.deserialize(raws[-1])


def test_a_listener_of_one_tenant_hears_of_no_other(acme, world, start):
    backend = world.backend("that appends")
    heard, all_heard = [], []
    backend.in_tenant("acme").listeners.register(
        lambda event, *_: heard.append(event.event.of), to=Secret
    )
    backend.listeners.register(lambda event, *_: all_heard.append(event.event.of), to=Secret)
    for tenant in ("acme", "umbrella"):
        backend.in_tenant(tenant).event_store.append(Secret(of=tenant), stream_id=StreamId())

    assert heard == ["acme"]
    assert all_heard == ["acme", "umbrella"]


def test_the_outbox_of_one_tenant_publishes_no_others_events(world, start):
    backend = world.backend("with an outbox").with_outbox()
    name = f"scoped {start}"
    for tenant in ("acme", "umbrella"):
        backend.in_tenant(tenant).event_store.append(Secret(of=tenant), stream_id=StreamId())
    published = {"acme": [], "umbrella": [], None: []}

    def publish(to):
        return lambda recorded: published[to].append(recorded.wrapped_event.event.of)

    for tenant in ("acme", "umbrella"):
        outbox = backend.in_tenant(tenant).outbox.named(name)
        assert outbox.run_once(publish(tenant), limit=100).handled
        assert outbox.run_once(publish(tenant)).handled == 0
    backend.outbox.named(name).run_once(publish(None), limit=100)

    assert set(published["acme"]) == {"acme"}
    assert set(published["umbrella"]) == {"umbrella"}
    assert published[None][-2:] == ["acme", "umbrella"]
    with pytest.raises(InvalidSubscriptionError, match="call with_outbox on the backend of"):
        backend.in_tenant("acme").with_outbox()


def test_each_tenants_projection_has_a_checkpoint_of_its_own(backend, start):
    name = f"balances {start}"
    seen = []
    for tenant in ("acme", "umbrella", ""):
        backend.in_tenant(tenant).projection(
            name, lambda recorded: seen.append(recorded.wrapped_event.event.of), after=start
        ).run_once()
    assert seen == ["acme", "umbrella", ""]
    assert backend.checkpoints.position(name) is None

    backend.projection(name, lambda recorded: None, after=start).run_once()
    found = [one for one in backend.checkpoints.all() if one.name == name]
    assert [one.tenant_id for one in found] == [None, "", "acme", "umbrella"]
    assert len({one.position for one in found}) == 1


def test_checkpoints_of_a_tenant_are_listed_and_set_apart(backend, acme, start):
    name = f"apart {start}"
    acme.checkpoints.move(name, start + 2)
    backend.in_tenant("ac").checkpoints.move(name, start + 1)
    backend.in_tenant("a#b%c").checkpoints.move(name, start + 3)

    acme.checkpoints.reset(name, start)

    assert acme.checkpoints.position(name) == start
    assert [(c.name, c.tenant_id) for c in acme.checkpoints.all() if c.name == name] == [
        (name, "acme")
    ]
    assert {c.tenant_id for c in backend.checkpoints.all() if c.name == name} == {
        "ac",
        "a#b%c",
        "acme",
    }
    with pytest.raises(UnknownConsumerError):
        backend.checkpoints.reset(name, 0)


def test_a_tenant_and_a_name_that_make_no_key_are_refused(backend):
    with pytest.raises(InvalidConsumerError, match="use shorter ones"):
        backend.in_tenant("x" * 900).checkpoints.position("y" * 200)
