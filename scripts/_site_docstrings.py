"""Docstrings as the site shows them: literal blocks are code, names are links.

In this project's docstrings, a name in single backticks refers to something public, and double
backticks are code. A name that refers to nothing fails the build, as a broken link does.
"""

from __future__ import annotations

import ast
import re
from textwrap import dedent
from typing import TYPE_CHECKING

from griffe import Class, Extension

if TYPE_CHECKING:
    from griffe import Module, Object

_NAME = re.compile(r"(?<![`\w])`([A-Za-z_][\w.]*)(\(\))?`(?!`)")
_BLOCK = re.compile(r"^( *)(\S.*)?::\n\n((?:\1 {2,}\S.*(?:\n|\Z)|\n)+)", re.MULTILINE)


class Docstrings(Extension):
    """Turns the literal blocks and the names of docstrings into Markdown."""

    def on_package(self, *, pkg: Module, **_: object) -> None:
        """Change the docstrings of all objects of a package; griffe calls it."""
        public = {name for name in pkg.exports or () if isinstance(name, str)}
        _change(pkg, pkg, public)


def _change(thing: Object, package: Module, public: set[str]) -> None:
    if thing.docstring:
        text = _with_code(f"{thing.docstring.value}\n")
        thing.docstring.value = _with_links(text, thing, package, public).rstrip("\n")
    for member in thing.members.values():
        if not member.is_alias:
            _change(member, package, public)


def _with_code(text: str) -> str:
    return _BLOCK.sub(_fenced, text)


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


def _with_links(text: str, thing: Object, package: Module, public: set[str]) -> str:
    fences = re.split(r"(^ *```.*?^ *```$)", text, flags=re.MULTILINE | re.DOTALL)
    fences[::2] = [
        _NAME.sub(lambda found: _link(found, thing, package, public), part) for part in fences[::2]
    ]
    return "".join(fences)


def _link(found: re.Match[str], thing: Object, package: Module, public: set[str]) -> str:
    name, call = found[1], found[2] or ""
    return f"[`{name}{call}`][{_target(name, thing, package, public)}]"


def _target(name: str, thing: Object, package: Module, public: set[str]) -> str:
    """Return what a name refers to: of the class, of the package, of the module, in this order."""
    first = name.split(".", 1)[0]
    owner = thing if isinstance(thing, Class) else thing.parent
    if isinstance(owner, Class) and first in owner.all_members:
        return f"{owner.path}.{name}"
    if first in public:
        return f"{package.path}.{name}"
    module = thing.module
    if module is not None and first in module.members:
        member = module.members[first]
        path = member.target_path if member.is_alias else member.path
        return f"{path}{name[len(first) :]}"
    return name
