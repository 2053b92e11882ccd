"""Finds modules and objects of your program by ``module`` or ``module:name``."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dynamo_es.contracts.error_texts import describe_error
from dynamo_es.environment import changed
from dynamo_es.exceptions import EventStoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType, TracebackType


class WrongReferenceError(EventStoreError):
    """A module or an object in it does not exist, or is not what the command needs."""


@contextmanager
def your_program(variables: Mapping[str, str]) -> Iterator[None]:
    """Make your modules importable from the current folder, and set options as variables.

    A module that reads its configuration from the environment then gets the options of the
    command, so both work on the same tables.

    Args:
        variables: environment variables to set until the end of the context.
    """
    folder = os.getcwd()  # noqa: PTH109 - a path for sys.path is text
    sys.path.insert(0, folder)
    try:
        with changed(variables):
            yield
    finally:
        sys.path.remove(folder)


def load_module(name: str) -> ModuleType:
    """Import a module.

    Raises:
        WrongReferenceError: there is no such module, or importing it failed.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise WrongReferenceError(
            f"{name!r} is not the name of a module: write my_app.events, not a path."
        )
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise WrongReferenceError(
                f"The module {name} cannot be imported: it needs {error.name}, which is not "
                "installed."
            ) from error
        raise WrongReferenceError(
            f"There is no module {name}: run the command in its folder, install it, or add its "
            "folder to PYTHONPATH."
        ) from error
    except EventStoreError:
        raise
    except Exception as error:
        raise WrongReferenceError(
            f"The module {name} cannot be imported: {_described(error)}. To see the "
            "traceback: --debug"
        ) from error


def load_object(reference: str) -> Any:
    """Return the object that ``module:name`` names; the name may have dots.

    Raises:
        WrongReferenceError: there is no such module or name, or the text has another form.
    """
    module_name, separator, path = reference.partition(":")
    if not separator or not path:
        raise WrongReferenceError(
            f"Write module:name, such as my_app.read_models:balances, not {reference!r}."
        )
    found: Any = load_module(module_name)
    for name in path.split("."):
        if not hasattr(found, name):
            raise WrongReferenceError(f"The module {module_name} has no {path}.")
        found = getattr(found, name)
    return found


def _described(error: Exception) -> str:
    """Return the class of an error and its place in your program, without frames of Python."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__} at {error.filename}:{error.lineno}"
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None and _imports(trace):
        trace = trace.tb_next
    return describe_error(error.with_traceback(trace))


def _imports(trace: TracebackType) -> bool:
    name = trace.tb_frame.f_globals.get("__name__", "")
    return name == __name__ or str(name).startswith(("importlib", "_frozen_importlib"))
