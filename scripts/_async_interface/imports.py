"""Collects the imports of a module while its class is written, and translates types."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from _async_interface.classes import BY_TYPE, Wrapped, imported
from _async_interface.members import import_of

DECIDES = {
    "transact": ("Callable[[TAggregate], Awaitable[R]]", "Callable[[TAggregate], R]"),
    "transact_all": ("Callable[..., Awaitable[R]]", "Callable[..., R]"),
}
"""By method, the two types of ``decide``, each of which gets its own overload."""
TYPES = {
    "Listener": "Listener | AsyncListener",
    **{kinds[1]: " | ".join(kinds) for kinds in DECIDES.values()},
    "Callable[[ProjectionReport], None] | None": "Callable[[ProjectionReport], object] | None",
    "Flag | None": "Event | None",
    "Handler": "Handler | AsyncProjector",
}
WORKERS = ("dynamo_es.projections", "dynamo_es.outbox", "dynamo_es.boundaries.indexing")
"""Prefixes of the modules of workers, where an ``Event`` stops a worker."""
KNOWN = {
    "Awaitable": "from collections.abc import Awaitable",
    "AsyncListener": "from dynamo_es.aio.bridges.your_functions import AsyncListener",
    "AsyncProjector": "from dynamo_es.aio.interface.projector import AsyncProjector",
    "Self": "from typing import Self",
}
"""The imports of names that the synchronous module may not have."""


@dataclass
class Imports:
    """The imports of a module that is being written."""

    one: Wrapped
    for_types: set[str] = field(default_factory=set)
    always: set[str] = field(default_factory=set)

    def type_of(self, node: ast.expr | None, module: str) -> str:
        """Return the asynchronous form of a type that is written in a module."""
        text = "None" if node is None else ast.unparse(node).strip("'")
        text = TYPES.get(text, text)
        for name in set(re.findall(r"[A-Za-z_][A-Za-z_0-9]*", text)):
            known = KNOWN.get(name)
            if name == "Event" and module.startswith(WORKERS):
                known = "from asyncio import Event"
            if line := known or import_of(name, module):
                self.for_types.add(line)
        return text

    def need_default(self, default: ast.expr, module: str) -> None:
        """Import the names of a parameter's default."""
        for node in ast.walk(default):
            if isinstance(node, ast.Name) and (line := import_of(node.id, module)):
                self.always.add(line)

    def wrapper_of(self, returns: str) -> Wrapped | None:
        """Return the class that wraps results of a type; None: none does."""
        wrapped = BY_TYPE.get(returns)
        if wrapped is not None and wrapped != self.one:
            self.always.add(imported(f"{wrapped.module}:{wrapped.name}"))
        return wrapped
