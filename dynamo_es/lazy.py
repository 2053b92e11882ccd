"""Lets a package offer names that load only when they are first used."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_names(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and ``__dir__`` of a package.

    Call it under ``if not TYPE_CHECKING:``. A type checker that sees ``__getattr__`` accepts every
    name of the package, misspelled ones too.

    Args:
        package: the package's ``__name__``.
        homes: the module that defines each name, relative to the package, such as ``.emf``.
    """

    def load(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(homes[name], package), name)
        setattr(sys.modules[package], name, value)  # so Python does not ask again
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return load, names
