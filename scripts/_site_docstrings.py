"""Turns docstrings into Markdown for the site: literal blocks become code, names become links.

In this project's docstrings, a name in single backticks refers to something public, and double
backticks are code. A name that refers to nothing fails the build, as a broken link does.
"""

from __future__ import annotations

import ast
import builtins
import re
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from griffe import Class, Extension

if TYPE_CHECKING:
    from collections.abc import Iterator

    from griffe import Module, Object

_NAME = re.compile(r"(?<![`\w])`([A-Za-z_][\w.]*)(\(\))?`(?!`)")
_BLOCK = re.compile(r"^( *)(\S.*)?::\n\n((?:\1 {2,}\S.*(?:\n|\Z)|\n)+)", re.MULTILINE)


class Docstrings(Extension):
    """Turns the literal blocks and the names of docstrings into Markdown."""

    def on_package(self, *, pkg: Module, **_: object) -> None:
        """Change the docstrings of all objects of a package; griffe calls this hook."""
        _change(pkg, Names(pkg))


class Names:
    """Finds what a name in a docstring refers to."""

    def __init__(self, package: Module) -> None:
        self._package = package
        self._public = {name: f"{package.path}.{name}" for name in _exports(package)}
        for module in _below(package):
            for name in _exports(module):
                self._public.setdefault(name, f"{module.path}.{name}")

    def target(self, name: str, thing: Object) -> str | None:
        """Return the path that a name refers to; None for modules and Python's own names.

        It looks in the members of the object's class, then in public names, then in its module.
        """
        first, _, rest = name.partition(".")
        owner = thing if isinstance(thing, Class) else thing.parent
        if isinstance(owner, Class) and first in owner.all_members:
            return self._anchored(f"{owner.path}.{name}")
        if first in self._public:
            return self._anchored(f"{self._public[first]}.{rest}".rstrip("."))
        if first == self._package.name:
            return None if self._package[rest].is_module else self._anchored(name)
        if thing.module and first in thing.module.members:
            return f"{_path(thing.module.members[first])}.{rest}".rstrip(".")
        return None if hasattr(builtins, first) else name

    def _anchored(self, path: str) -> str:
        """Return the path; for a field without its own section, return the path of its class."""
        above, _, last = path.rpartition(".")
        try:
            owner = self._package[above.partition(".")[2]]
            owner = owner.final_target if owner.is_alias else owner
            member = owner.all_members[last]
        except (KeyError, ValueError):
            return path
        if not isinstance(owner, Class) or (member.docstring and last in owner.members):
            return path
        home = member.parent if member.docstring or last not in owner.members else owner
        home = member.final_target.parent if member.is_alias else home
        return f"{home.path}.{last}" if member.docstring else home.path


def _below(module: Module) -> Iterator[Module]:
    for inner in module.modules.values():
        if not inner.is_alias:
            yield inner
            yield from _below(inner)


def _exports(module: Module) -> list[str]:
    if module.exports is not None:
        return [name for name in module.exports if isinstance(name, str)]
    return list(module.classes) if module.name == "exceptions" else []


def _path(member: Any) -> str:
    return member.target_path if member.is_alias else member.path


def _change(thing: Object, names: Names) -> None:
    if thing.docstring:
        text = _BLOCK.sub(_fenced, f"{thing.docstring.value}\n")
        thing.docstring.value = _with_links(text, thing, names).rstrip("\n")
    for member in thing.members.values():
        if not member.is_alias:
            _change(member, names)


def _fenced(found: re.Match[str]) -> str:
    indent, before, block = found.groups()
    code = dedent(block).strip("\n")
    lines = [f"{before}:", ""] if before else []
    lines += [f"```{_language(code)}", *code.splitlines(), "```", ""]
    return "".join(f"{indent}{line}".rstrip() + "\n" for line in lines)


def _language(code: str) -> str:
    try:
        ast.parse(code)
    except SyntaxError:
        return "text"
    return "python"


def _with_links(text: str, thing: Object, names: Names) -> str:
    def link(found: re.Match[str]) -> str:
        target = names.target(found[1], thing)
        return f"[{found[0]}][{target}]" if target else found[0]

    parts = re.split(r"(^ *```.*?^ *```$)", text, flags=re.MULTILINE | re.DOTALL)
    parts[::2] = [_NAME.sub(link, part) for part in parts[::2]]
    return "".join(parts)
