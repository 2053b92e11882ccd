"""Objects of the wrong type are refused with an error of this library, before anything happens."""

import pytest

from dynamo_es import (
    Context,
    Event,
    ExplicitVersioning,
    MemoryBackend,
    Recorded,
    StreamId,
    WrappedEvent,
)
from dynamo_es.contracts import EVERYTHING
from dynamo_es.exceptions import (
    InputError,
    InvalidConsumerError,
    InvalidStreamIdError,
    InvalidSubscriptionError,
)


class Deposited(Event):
    """An event."""

    amount: int


WRONG = [None, 5, "text", [], {}, object()]
STREAM = StreamId(name="a")
WRAPPED = WrappedEvent(Deposited(amount=1), 1)


@pytest.fixture
def backend():
    backend = MemoryBackend()
    backend.event_store.append(Deposited(amount=1), stream_id=STREAM, expected_version=0)
    return backend


@pytest.mark.parametrize("wrong", [*WRONG, WRAPPED])
def test_projector_is_called_with_a_recorded_event_only(backend, wrong):
    projector = backend.projector("one", lambda *_: None)
    with pytest.raises(InvalidSubscriptionError, match="recorded must be a Recorded, not"):
        projector(wrong)


@pytest.mark.parametrize("wrong", WRONG)
def test_projector_projects_events_of_a_stream_id_only(backend, wrong):
    projector = backend.projector("one", lambda *_: None)
    with pytest.raises(InvalidStreamIdError, match="stream_id must be a StreamId"):
        projector.project(WRAPPED, wrong)
    with pytest.raises(InvalidStreamIdError, match="stream_id must be a StreamId"):
        projector(Recorded(WRAPPED, wrong, 1))


@pytest.mark.parametrize("wrong", ["1", -1, True, 1.0, None])
def test_projector_takes_a_generation_of_0_or_more(backend, wrong):
    projector = backend.projector("one", lambda *_: None)
    with pytest.raises(InvalidSubscriptionError, match="generation must be an integer of 0"):
        projector.project(WRAPPED, STREAM, generation=wrong)


@pytest.mark.parametrize("wrong", ["1", 0, -1, True, 1.0])
def test_projector_takes_versions_of_1_or_more(backend, wrong):
    projector = backend.projector("one", lambda *_: None)
    with pytest.raises(InvalidSubscriptionError, match="version must be an integer of 1"):
        projector.project(WrappedEvent(Deposited(amount=1), wrong), STREAM)


@pytest.mark.parametrize("wrong", [None, "1", [], float("nan")])
def test_projector_needs_a_lease_in_seconds(backend, wrong):
    with pytest.raises(InvalidSubscriptionError, match="lease must be a timedelta or a number"):
        backend.projector("one", lambda *_: None, lease=wrong)


@pytest.mark.parametrize("run", ["run_once", "run_forever"])
@pytest.mark.parametrize("wrong", [5, "text", [], 0])
def test_run_of_a_projection_needs_a_callable_to_report_to(backend, run, wrong):
    seen = []
    projection = backend.projection("one", seen.append)
    with pytest.raises(InputError, match="on_progress must be callable, not"):
        getattr(projection, run)(on_progress=wrong)
    with pytest.raises(InputError, match=r"stop\.is_set must be callable"):
        getattr(projection, run)(wrong)
    assert seen == []


@pytest.mark.parametrize("wrong", [5, "text"])
def test_thread_of_a_projection_does_not_begin_with_a_wrong_argument(backend, wrong):
    projection = backend.projection("one", lambda _: None)
    with (
        pytest.raises(InputError, match="on_progress must be callable, not"),
        projection.in_background(wrong),
    ):
        pytest.fail("the context began")


@pytest.mark.parametrize("wrong", [*WRONG, int, Context(user="ann"), Deposited(amount=1)])
def test_context_is_returned_as_an_object_of_a_model_only(wrong):
    with pytest.raises(InputError, match="context_type must be a class derived from pydantic"):
        WRAPPED.get_context(wrong)


@pytest.mark.parametrize("wrong", WRONG)
def test_log_is_read_with_a_selection_only(backend, wrong):
    backend.log.reader(0, EVERYTHING)
    with pytest.raises(InvalidSubscriptionError, match="selection must be a Selection, not"):
        backend.log.reader(0, wrong)


@pytest.mark.parametrize("wrong", [None, [], "", 5, "a#b", "x" * 300])
def test_outbox_is_named_with_a_name_that_can_be_a_key(backend, wrong):
    with pytest.raises(InvalidConsumerError):
        backend.with_outbox().outbox.named(wrong)


@pytest.mark.parametrize("wrong", [*WRONG[:3], *WRONG[4:], iter([])])
def test_appends_to_several_streams_are_a_list(backend, wrong):
    with pytest.raises(InputError, match="appends must be a list or tuple, not"):
        backend.storage.insert_all(wrong)


@pytest.mark.parametrize("wrong", [*WRONG, (STREAM, ExplicitVersioning(0), [])])
def test_each_append_of_several_is_a_stream_append(backend, wrong):
    with pytest.raises(InputError, match="append 0 must be a StreamAppend, not"):
        backend.storage.insert_all([wrong])
