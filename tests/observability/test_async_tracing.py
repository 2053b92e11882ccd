"""Spans of the asynchronous interface: each has the span of its task as its parent."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dynamo_es import Context, Event, StreamId, WrappedEvent
from dynamo_es.aio import AsyncDynamoBackend, AsyncMemoryBackend, AsyncRepository
from dynamo_es.observability import OpenTelemetry
from tests.aggregates.account import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from opentelemetry.sdk.trace import ReadableSpan

    from dynamo_es.aio import AsyncBackend


class Traced(Event):
    __event_name__ = "async_tracing.traced"

    text: str = ""


class Spans:
    """The spans of a test."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracing = OpenTelemetry(self.provider)

    def clear(self) -> None:
        self._exporter.clear()

    def below(self, name: str) -> list[str]:
        """Return the names of the spans below the one of a name."""
        finished: list[ReadableSpan] = [*self._exporter.get_finished_spans()]
        [above] = [one for one in finished if one.name == name]
        assert above.context is not None
        return [
            one.name
            for one in finished
            if one.parent is not None
            and one.parent.span_id == above.context.span_id
            and one.name != "sequence"  # what the emulator does in the place of a worker
        ]

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        with self.provider.get_tracer("test").start_as_current_span(name):
            yield

    async def within(self, name: str, call: Coroutine[Any, Any, object]) -> None:
        with self.span(name):
            await call


@pytest.fixture(scope="module")
def all_spans() -> Spans:
    return Spans()


@pytest.fixture
def spans(all_spans: Spans) -> Spans:
    all_spans.clear()
    return all_spans


@pytest.fixture(scope="module")
def backend(all_spans: Spans) -> Iterator[AsyncDynamoBackend]:
    backend = AsyncDynamoBackend.local(all_spans.tracing)
    yield backend
    asyncio.run(backend.close())


def test_operations_of_tasks_at_once_are_below_the_span_of_their_own_task(backend, spans):
    store = backend.event_store
    large = Traced(text="x" * 200_000)  # a thread works on it

    async def append_and_load(*events: Event) -> None:
        stream = StreamId()
        await store.append(*events, stream_id=stream)
        await store.load_stream(stream)

    async def use() -> None:
        await asyncio.gather(
            spans.within("small", append_and_load(Traced())),
            spans.within("large", append_and_load(large)),
            spans.within("many", store.append_many({StreamId(): [Traced()] for _ in range(30)})),
        )

    asyncio.run(use())
    assert spans.below("small") == ["append", "load"]
    assert spans.below("large") == ["append", "load"]
    assert set(spans.below("many")) == {"append_many"}


def test_the_requests_of_a_decision_are_below_its_span(backend, spans):
    accounts = AsyncRepository(backend.event_store, Account)

    async def decide(account: Account) -> None:
        with spans.span("decide"):
            await asyncio.sleep(0)
        account.deposit(10)

    asyncio.run(spans.within("command", accounts.transact("ann", decide)))
    below = spans.below("command")
    assert "decide" in below
    assert {one.partition(" ")[0] for one in below} >= {"append", "load", "decide"}


def test_a_decision_in_a_group_has_the_context_of_its_own_caller():
    spans = Spans()

    async def use() -> None:
        async with AsyncMemoryBackend() as backend:
            accounts = AsyncRepository(backend.event_store, Account, group=True)

            def command(number: int) -> Coroutine[Any, Any, object]:
                async def decide(account: Account) -> None:
                    await asyncio.sleep(0)
                    with spans.span(f"decide {number}"):
                        account.deposit(1)
                        await asyncio.sleep(0)

                return accounts.transact("ann", decide)

            await asyncio.gather(*(spans.within(str(n), command(n)) for n in range(8)))
            assert (await accounts.load("ann")).balance == 8

    asyncio.run(use())
    for number in range(8):
        assert spans.below(str(number)) == [f"decide {number}"]


def kinds_of(spans: Spans) -> dict[str, Callable[..., Any]]:
    """Return a handler of each kind; it appends, or works, within the span of its event."""

    def work(_: object) -> None:
        assert threading.current_thread() is not threading.main_thread()
        with spans.span("work"):
            pass

    async def wait(_: object) -> None:
        await asyncio.sleep(0)
        with spans.span("work"):
            await asyncio.sleep(0)

    class Waiting:
        async def __call__(self, recorded: object) -> None:
            await wait(recorded)

    return {"in a thread": work, "asynchronous": wait, "an object": Waiting()}


@pytest.mark.parametrize("kind", kinds_of(Spans()))
def test_a_handler_runs_within_the_span_of_its_event(kind):
    spans = Spans()
    handler = kinds_of(spans)[kind]

    async def use() -> None:
        async with AsyncMemoryBackend() as backend:
            with spans.span("request"):
                context = Context(**spans.tracing.carrier())
                wrapped = WrappedEvent.wrap(Traced(), context=context)
                await backend.event_store.append(wrapped, stream_id=StreamId())
            run = backend.projection("p", spans.tracing.processing("p", handler)).run_once()
            await spans.within("worker", run)

    asyncio.run(use())
    assert spans.below("worker") == ["process p"]
    assert spans.below("process p") == ["work"]


@pytest.mark.parametrize("kind", kinds_of(Spans()))
def test_a_publisher_runs_within_the_span_of_its_event(kind):
    spans = Spans()
    publisher = kinds_of(spans)[kind]

    async def use() -> None:
        async with AsyncMemoryBackend() as plain:
            backend = plain.with_outbox()
            await backend.event_store.append(Traced(), stream_id=StreamId())
            run = backend.outbox.run_once(spans.tracing.publishing("bus", publisher))
            await spans.within("worker", run)

    asyncio.run(use())
    assert spans.below("worker") == ["send bus"]
    assert spans.below("send bus") == ["work"]


def test_what_an_asynchronous_handler_appends_is_below_the_span_of_its_event(backend, spans):
    async def handle(_: object) -> None:
        await asyncio.sleep(0)
        await backend.in_tenant("other").event_store.append(Traced(), stream_id=StreamId())

    async def use(scoped: AsyncBackend) -> None:
        await scoped.event_store.append(Traced(), stream_id=StreamId())
        handler = spans.tracing.processing("p", handle)
        await scoped.projection("p", handler).by_stream(4).run_once()

    asyncio.run(use(backend.in_tenant("traced")))
    assert spans.below("process p") == ["append"]


def test_the_failure_of_an_asynchronous_handler_is_in_its_span():
    spans = Spans()

    async def fail(_: object) -> None:
        await asyncio.sleep(0)
        raise ValueError("ann@example.com")

    async def use() -> None:
        async with AsyncMemoryBackend() as backend:
            await backend.event_store.append(Traced(), stream_id=StreamId())
            with pytest.raises(ValueError, match="ann@"):
                await backend.projection("p", spans.tracing.processing("p", fail)).run_once()

    asyncio.run(use())
    [span] = spans._exporter.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["error.type"] == "builtins.ValueError"
    assert "ann@" not in span.to_json()


def test_no_span_is_current_after_an_operation(backend, spans):
    async def use() -> None:
        await backend.event_store.append(Traced(), stream_id=StreamId())
        assert not trace.get_current_span().get_span_context().is_valid

    asyncio.run(use())
