"""``dynamo-es rebuild``."""

from collections.abc import Callable
from typing import Final

from dynamo_es.cli.consumers.catching_up import describe_end, report_document, run_projection
from dynamo_es.cli.consumers.log_ends import Ends
from dynamo_es.cli.consumers.projections import Reference, Tenant
from dynamo_es.cli.consumers.your_projections import find_projection
from dynamo_es.cli.options import AsJson, Place, Yes
from dynamo_es.cli.terminal.output import print_json, refuse_unless_confirmed, tell
from dynamo_es.cli.terminal.rendering import count
from dynamo_es.cli.your_program import WrongReferenceError, your_program
from dynamo_es.contracts.checks.functions import refuse_asynchronous, refuse_unfinished
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.exceptions import EventStoreError
from dynamo_es.projections.projection import Projection
from dynamo_es.projections.projector import Projector

_ROLE: Final = "reset"
_UNFINISHED: Final = "The read model is not complete. To start over: dynamo-es rebuild"


class OvertakenError(EventStoreError):
    """Another process ran the projection during its rebuild, so the read model lacks events."""


class RunningError(EventStoreError):
    """A worker is running the projection, so it cannot be rebuilt now."""


def rebuild(
    reference: Reference,
    place: Place,
    *,
    tenant: Tenant = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Rebuild a projection's read model: clear it, and handle every event from the beginning.

    Stop the projection's process first. The command sets the checkpoint back, calls `reset()` of
    the handler if it has one, so that the handler clears its read model, and runs up to the current
    end of the log. Then start the projection's process again.

    If it is interrupted, run it again. For a function, reset() is an attribute:
    `handler.reset = clear_table`.
    """
    with your_program(place.variables):
        backend = DynamoBackend(place.config())
        projection = find_projection(reference, backend, tenant)
        reset = _reset_of(projection)
        _refuse_while_it_runs(projection, backend, tenant)
        if not yes:
            end = _end_of(projection, backend, tenant)
            refuse_unless_confirmed(_question(projection, end, reset), "Nothing was changed.")
        if _has_run(projection):
            # Set the checkpoint back before clearing the read model, so that no crash loses events.
            projection.reset()
        try:
            if reset is not None:
                refuse_unfinished(reset(), reset, _ROLE)
            report, interrupted = run_projection(projection, once=True)
        except BaseException:
            tell(_UNFINISHED)
            raise
    tell(describe_end(report, once=True))
    if interrupted:
        tell(_UNFINISHED)
        raise KeyboardInterrupt
    if as_json:
        print_json(report_document(report, once=True))
    if report.overtaken:
        raise OvertakenError(
            f"Another process is running {projection.name}: the rebuilt read model lacks the "
            "events that it handled in the meantime. Stop that process, and rebuild again."
        )


def _reset_of(projection: Projection) -> Callable[[], object] | None:
    """Return the function that clears the read model; None if the handler has none."""
    handler = projection.handler
    if isinstance(handler, Projector):
        raise WrongReferenceError(
            f"The handler of {projection.name} is a projector. Its cursors pass over the events "
            "that it has applied, so the read model would not change. To rebuild it, give "
            "projector and projection a new name and run the projection."
        )
    owner = getattr(handler, "__self__", None)
    reset = getattr(handler, _ROLE, None) or getattr(owner, _ROLE, None)
    if reset is None:
        return None
    if not callable(reset):
        kind = type(reset).__name__
        raise WrongReferenceError(
            f"The reset of the handler of {projection.name} must be a function, not {kind}."
        )
    refuse_asynchronous(reset, _ROLE)
    return reset  # type: ignore[no-any-return]


def _end_of(projection: Projection, backend: DynamoBackend, tenant: str | None) -> int:
    ends = Ends(backend.log)
    return ends.total() if projection.over_all_logs else ends.of(tenant)


def _refuse_while_it_runs(
    projection: Projection, backend: DynamoBackend, tenant: str | None
) -> None:
    """Raise `RunningError` if a worker has a lease of the projection."""
    for one in backend.checkpoints.all():
        mine = projection.over_all_logs or one.tenant_id == tenant
        if one.name == projection.name and mine and one.worker is not None:
            raise RunningError(
                f"Worker {one.worker} is running {one.name}. Stop it, then rebuild. If it has "
                f"died: dynamo-es checkpoints reset {one.name}, then rebuild."
            )


def _has_run(projection: Projection) -> bool:
    if projection.over_all_logs:
        return bool(projection.positions)
    return projection.position is not None


def _question(projection: Projection, end: int, reset: Callable[[], object] | None) -> str:
    cleared = (
        "The handler has no reset(), so clear its read model yourself first."
        if reset is None
        else "The handler's reset() clears its read model."
    )
    return (
        f"Rebuild {projection.name} from {count(end, 'position')} of the log? {cleared} Stop the "
        "projection's process first."
    )
