"""Reads the synchronous classes: their members, and where the names in these come from."""

from __future__ import annotations

import ast
import importlib
import inspect
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _async_interface.classes import Wrapped


@dataclass(frozen=True)
class Member:
    """A public member of a class: its definitions (several with overloads), and its module."""

    name: str
    nodes: list[ast.FunctionDef]
    module: str

    @property
    def last(self) -> ast.FunctionDef:
        return self.nodes[-1]

    def decorated(self, decorator: str) -> bool:
        return any(ast.unparse(one) == decorator for one in self.last.decorator_list)


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(importlib.import_module(module)))


def members_of(one: Wrapped) -> list[Member]:
    """Return the members that are written, by name."""
    module, _, name = one.of.partition(":")
    cls = getattr(importlib.import_module(module), name)
    found: dict[str, Member] = {}
    for base in cls.__mro__:
        if not base.__module__.startswith("dynamo_es"):
            continue
        tree = tree_of(base.__module__)
        (node,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == base.__name__]
        own: dict[str, list[ast.FunctionDef]] = {}
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and not part.name.startswith("_"):
                own.setdefault(part.name, []).append(part)
        for key, nodes in own.items():
            found.setdefault(key, Member(key, nodes, base.__module__))
    skipped = one.left_out | one.by_hand
    return [found[key] for key in sorted(found) if key not in skipped]


def import_of(name: str, module: str) -> str | None:
    """Return the line that imports a name which a module uses; None for one of Python's own."""
    tree = tree_of(module)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    line = f"import {ast.unparse(alias)}"
                    return line if isinstance(node, ast.Import) else f"from {node.module} {line}"
    if any(name in _defined(node) for node in tree.body):
        return f"from {module} import {name}"
    return None


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign):
        return [ast.unparse(node.target)]
    if isinstance(node, ast.Assign):
        return [ast.unparse(target) for target in node.targets]
    return []
