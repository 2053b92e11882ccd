"""Lists the asynchronous classes, and the synchronous ones that they are written from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Wrapped:
    """Describes an asynchronous class to write.

    Attributes:
        name: its name.
        of: module and name of the synchronous class that it wraps.
        doc: its docstring.
        plain: members that send no requests, so they are not coroutine functions.
        left_out: members of the synchronous class that it does not get.
        base: module and name of its base class.
        by_hand: members that its base already has.
        of_aggregates: whether the class is generic in the aggregate.
        module: its module; empty for the one in `dynamo_es.aio.interface` or its `contracts` that
            follows from its name.
    """

    name: str
    of: str
    doc: str
    plain: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    base: str = "dynamo_es.aio.base:Over"
    by_hand: frozenset[str] = frozenset()
    of_aggregates: bool = False
    module: str = ""

    def __post_init__(self) -> None:
        if not self.module:
            file = re.sub(r"(?<!^)(?=[A-Z])", "_", self.name.removeprefix("Async")).lower()
            package = "contracts." if self.of.startswith("dynamo_es.contracts.") else ""
            object.__setattr__(self, "module", f"dynamo_es.aio.interface.{package}{file}")

    @property
    def path(self) -> Path:
        return ROOT.joinpath(*self.module.split(".")).with_suffix(".py")


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


def imported(of: str) -> str:
    """Return the line that imports a name; ``of`` is its module and the name."""
    module, _, name = of.partition(":")
    return f"from {module} import {name}"


CLASSES = [
    Wrapped(
        "AsyncStorage",
        "dynamo_es.contracts.storage:StorageStrategy",
        "Stores and loads the raw events of one tenant; see `StorageStrategy`.",
        plain=names("append_cost scoped_for_tenant"),
    ),
    Wrapped(
        "AsyncEventStore",
        "dynamo_es.event_store.store:EventStore",
        "Appends and loads one tenant's typed events; see `EventStore`.",
        plain=names("is_consistent is_snapshot tenant_id groups"),
    ),
    Wrapped(
        "AsyncEncryption",
        "dynamo_es.event_store.encryption.service:Encryption",
        "Encrypts one tenant's fields, and shreds keys; see `Encryption`.",
        plain=names("forget_keys scoped_for_tenant"),
        left_out=names("reading refuse_marked_context with_throwaway_keys decrypt encrypt"),
    ),
    Wrapped(
        "AsyncLog",
        "dynamo_es.contracts.log:LogStrategy",
        "Reads the log; see `LogStrategy`.",
        plain=names("scoped_for_tenant per_tenant"),
    ),
    Wrapped(
        "AsyncLogReader",
        "dynamo_es.contracts.log:LogReader",
        "Reads events of the log, piece by piece; see `LogReader`.",
        plain=names("passed_over position positions"),
    ),
    Wrapped(
        "AsyncCheckpoints",
        "dynamo_es.contracts.consumers.checkpoints:CheckpointStrategy",
        "The positions of the log's consumers; see `CheckpointStrategy`.",
        plain=names("of_version scoped_for_tenant new_writes"),
    ),
    Wrapped(
        "AsyncCursors",
        "dynamo_es.contracts.consumers.cursors:CursorStrategy",
        "The versions of read models in single streams; see `CursorStrategy`.",
        plain=names("new_writes"),
    ),
    Wrapped(
        "AsyncConsumers",
        "dynamo_es.contracts.consumers.finder:ConsumerFinder",
        "Finds the cursors and outboxes that are in use; see `ConsumerFinder`.",
        plain=names("scoped_for_tenant"),
    ),
    Wrapped(
        "AsyncParked",
        "dynamo_es.contracts.consumers.parked:ParkedStrategy",
        "The streams that consumers have parked; see `ParkedStrategy`.",
        plain=names("scoped_for_tenant per_tenant"),
    ),
    Wrapped(
        "AsyncSubscriptions",
        "dynamo_es.contracts.subscription:SubscriptionStrategy",
        "Subscribes to raw events of the log; see `SubscriptionStrategy`.",
    ),
    Wrapped(
        "AsyncSubscriber",
        "dynamo_es.subscriptions.subscriber:Subscriber",
        "Builds a subscription to typed events; see `Subscriber`.\n\n"
        '    ``async for recorded in backend.subscriber.after(0).to_category("account")``',
        plain=names("after to_category to_events in_tenant"),
        base="dynamo_es.aio.interface.by_hand.subscriber:SubscribesLater",
        by_hand=names("build_batch build_iter"),
    ),
    Wrapped(
        "AsyncListeners",
        "dynamo_es.subscriptions.listeners:Listeners",
        "Registers functions to call after each append; see `Listeners`.\n\n"
        "    A plain function is called on the loop's thread, so it must not block.",
        plain=names("register remove scoped_for_tenant"),
    ),
    Wrapped(
        "AsyncOutbox",
        "dynamo_es.outbox.outbox:Outbox",
        "Publishes events; see `Outbox`. A thread runs a publisher that is a plain function.",
        plain=names("name named"),
        left_out=names("tries"),
    ),
    Wrapped(
        "AsyncProjection",
        "dynamo_es.projections.projection:Projection",
        "Calls a handler with every event of the log, and keeps a checkpoint; see `Projection`.\n\n"
        "    A thread runs a handler that is a plain function.",
        plain=names("name handler over_all_logs version"),
        base="dynamo_es.aio.interface.by_hand.projection:RunsByStream",
    ),
    Wrapped(
        "AsyncProjections",
        "dynamo_es.facade.projections:Projections",
        "The projections of a backend; see `Projections`.",
    ),
    Wrapped(
        "AsyncProjector",
        "dynamo_es.projections.projector:Projector",
        "Applies the events of streams to a read model; see `Projector`.\n\n"
        "    A thread runs a read model that is a plain function.",
        left_out=names("check_returned choosing follow generation_of load note now_ms version_of"),
    ),
    Wrapped(
        "AsyncBoundary",
        "dynamo_es.boundaries.boundary:Boundary",
        "Reads, appends and decides in a dynamic consistency boundary; see `Boundary`.",
        plain=names("stream_id typed"),
    ),
    Wrapped(
        "AsyncBoundaryIndex",
        "dynamo_es.boundaries.indexing:BoundaryIndex",
        "Writes which events of a boundary have which tag; see `BoundaryIndex`.",
    ),
    Wrapped(
        "AsyncRepository",
        "dynamo_es.aggregates.repository:Repository",
        "Loads and saves the aggregates of one tenant; see `Repository`.\n\n"
        "    Args are those of `Repository`: an `AsyncEventStore` is the first.",
        base="dynamo_es.aio.interface.by_hand.repository:MakesRepository",
        by_hand=names("aggregate"),
        of_aggregates=True,
    ),
    Wrapped(
        "AsyncBackend",
        "dynamo_es.facade.backend:Backend",
        "Gives access to one tenant's streams, and to the log; see `Backend`.",
        plain=names(
            "limited_to with_outbox deserialize in_tenant projection projector select chooser "
            "boundary"
        ),
        base="dynamo_es.aio.interface.by_hand.backend:HasBridge",
        by_hand=names("prepare create_tables close"),
    ),
    Wrapped(
        "AsyncAggregates",
        "dynamo_es.http.aggregates:Aggregates",
        "The aggregates of a class, for one request; see `Aggregates`.\n\n"
        "    Args are those of `Aggregates`: an `AsyncRepository` is the first.",
        base="dynamo_es.http.async_aggregates_by_hand:MakesAggregates",
        by_hand=names("of_request"),
        of_aggregates=True,
        module="dynamo_es.http.async_aggregates",
    ),
]

BY_TYPE = {one.of.partition(":")[2]: one for one in CLASSES}
"""By the type that a synchronous member returns, the class that wraps it."""
