"""Writes the module of an asynchronous class, before ruff formats it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from _async_interface.classes import imported
from _async_interface.imports import Imports
from _async_interface.members import members_of
from _async_interface.methods import written

if TYPE_CHECKING:
    from _async_interface.classes import Wrapped


def module_of(one: Wrapped) -> str:
    imports = Imports(one)
    body = [text for member in members_of(one) for text in written(member, imports)]
    source, _, name = one.of.partition(":")
    base = one.base.partition(":")[2]
    imports.for_types.add(imported(one.of))
    imports.always.add(imported(one.base))
    variables: list[str] = []
    generic = name
    if one.of_aggregates:
        variables = ['R = TypeVar("R")', ""]
        generic, base = f"{name}[TAggregate]", f"{base}[TAggregate]"
        imports.always |= {"from typing import TypeVar", f"from {source} import TAggregate"}
        own = (" import R", " import TAggregate")
        imports.for_types = {line for line in imports.for_types if not line.endswith(own)}
    lines = [
        f'"""`{one.name}`: scripts/async-interface writes it, from `{name}`."""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import TYPE_CHECKING",
        *sorted(imports.always),
        "",
        "if TYPE_CHECKING:",
        *(f"    {line}" for line in sorted(imports.for_types - imports.always)),
        "",
        *variables,
        f"class {one.name}({base}):",
        f'    """{one.doc}' + ("\n    " if "\n" in one.doc else "") + '"""',
        "",
        f"    _sync: {generic}",
        "",
        *body,
    ]
    return "\n".join(lines) + "\n"
