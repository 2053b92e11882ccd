"""Finds the projections of your program: objects, and functions that make one for a backend."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from dynamo_es.cli.your_program import WrongReferenceError, load_object
from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.exceptions import EventStoreError
from dynamo_es.projections.projection import Projection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FunctionType, ModuleType

    from dynamo_es.facade.backend import Backend
    from dynamo_es.projections.parking import RetryReport
    from dynamo_es.values import TenantId

_HOW: Final = "Define it as def balances(backend): return backend.projection('balances', handler)."


class Retrying(Protocol):
    """A consumer that can retry its parked streams."""

    def retry_parked(self) -> RetryReport:
        """Apply the events of parked streams again."""


def find_projection(reference: str, backend: Backend, tenant: TenantId | None) -> Projection:
    """Return the projection that ``module:name`` names.

    Args:
        reference: reference to a `Projection`, or to a function that takes a backend and returns
            one.
        backend: the backend for such a function.
        tenant: limits that backend to a tenant; None: all tenants.

    Raises:
        WrongReferenceError: there is no such object, or it is not a projection.
    """
    return _projection(reference, load_object(reference), backend, tenant)


def find_retrying(reference: str, backend: Backend, tenant: TenantId | None) -> Retrying:
    """Return the consumer that ``module:name`` names, which can retry its parked streams.

    Args:
        reference: reference to a projection, a projector, a Lambda handler of this library, or a
            function that takes a backend and returns one.
        backend: the backend for such a function.
        tenant: limits that backend to a tenant; None: all tenants.

    Raises:
        WrongReferenceError: there is no such object, or it does not park streams.
    """
    found = load_object(reference)
    if not hasattr(found, "retry_parked") and inspect.isfunction(found):
        if not _takes_one_argument(found):
            raise WrongReferenceError(f"{reference} must take one argument, the backend. {_HOW}")
        found = _made(reference, found, backend if tenant is None else backend.in_tenant(tenant))
    elif tenant is not None:
        raise WrongReferenceError(
            f"{reference} has its own backend, so --tenant cannot limit it. {_HOW}"
        )
    if not hasattr(found, "retry_parked"):
        kind = type(found).__name__
        raise WrongReferenceError(
            f"{reference} is a {kind}, which does not park streams: name a projection, a projector "
            "or a Lambda handler of project_log or project_streams."
        )
    return cast("Retrying", found)


def projections_of(module: ModuleType, backend: Backend) -> Iterator[tuple[str, Projection]]:
    """Yield each projection of a module with its reference, ``module:name``.

    A function counts if it is annotated to return a `Projection`.
    """
    for name, found in vars(module).items():
        if name.startswith("_"):
            continue
        if isinstance(found, Projection) or _makes_projection(found):
            reference = f"{module.__name__}:{name}"
            yield reference, _projection(reference, found, backend, None)


def _projection(
    reference: str, found: Any, backend: Backend, tenant: TenantId | None
) -> Projection:
    if isinstance(found, Projection):
        if tenant is not None:
            raise WrongReferenceError(
                f"{reference} is a projection with its own backend, so --tenant cannot limit it. "
                f"{_HOW}"
            )
        return found
    if not inspect.isfunction(found):
        kind = type(found).__name__
        raise WrongReferenceError(f"{reference} must be a projection, not {kind}. {_HOW}")
    if not _takes_one_argument(found):
        raise WrongReferenceError(f"{reference} must take one argument, the backend. {_HOW}")
    made = _made(reference, found, backend if tenant is None else backend.in_tenant(tenant))
    if not isinstance(made, Projection):
        kind = type(made).__name__
        raise WrongReferenceError(f"{reference} must return a projection, not {kind}. {_HOW}")
    return made


def _made(reference: str, function: FunctionType, backend: Backend) -> object:
    try:
        return function(backend)
    except EventStoreError:
        raise
    except Exception as error:
        raise WrongReferenceError(
            f"{reference} failed: {describe_error(error)}. {_HOW} To see the traceback: --debug"
        ) from error


def _takes_one_argument(function: FunctionType) -> bool:
    return len(inspect.signature(function).parameters) == 1


def _makes_projection(found: object) -> bool:
    if not inspect.isfunction(found) or not _takes_one_argument(found):
        return False
    returned = found.__annotations__.get("return")
    return returned is Projection or str(returned).rpartition(".")[2] == Projection.__name__
