"""Writes the members of the asynchronous classes."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from _async_interface.imports import DECIDES, Imports

if TYPE_CHECKING:
    from _async_interface.classes import Wrapped
    from _async_interface.members import Member

MOST_ARGUMENTS = 6

HANDLERS = frozenset({"handler", "publisher", "read_model"})
"""Parameters for user functions that are called in threads, unless they are coroutine functions."""
FUNCTIONS = frozenset({"decide", "listener", "on_progress"})
"""Parameters for user functions that the library calls directly, in its own thread."""
TITLES = {
    "AsyncOutbox": 'f"Outbox {self.name!r}"',
    "AsyncProjection": 'f"Projection {self.name!r}"',
    "AsyncBoundaryIndex": 'f"Tag index of boundary {self._sync.stream_id}"',
}
"""By class, how a worker in the background is named."""
TEXTS = (
    ("a thread reads the next", "a task reads the next"),
    ("a thread\n        reads the next", "a task\n        reads the next"),
    (
        "Run in a thread during a ``with`` block: ``with",
        "Run in a task during a block: ``async with",
    ),
    ("called in that thread", "called in that task"),
    ("the thread ended with an error", "the task ended with an error"),
    ("set it in another thread or a signal handler", "set it in another task or a signal handler"),
    ("a plain function, called with", "any function, called with"),
    ("a plain function, such as", "any function, such as"),
    ("is asynchronous or not callable", "is not callable"),
    (
        "or ``stop`` or\n                ``on_progress`` is asynchronous",
        "or ``stop`` is not an\n                ``asyncio.Event``",
    ),
)
"""Replacements in docstrings: a text of the synchronous ones, and what takes its place."""

_replaced: set[str] = set()


def unused_texts() -> list[str]:
    """Return the texts that no docstring has any more, once all members are written."""
    return [before for before, _ in TEXTS if before not in _replaced]


def written(member: Member, imports: Imports) -> list[str]:
    """Return the source lines of the asynchronous form of a member."""
    node = member.last
    returns = imports.type_of(node.returns, member.module)
    if member.decorated("property"):
        return property_of(member, imports, returns)
    overloads = overloads_of(member, imports, returns)
    wrapped = imports.wrapper_of(returns)
    keyword, result = form(returns, member, imports)
    lines = [
        *overloads,
        *signature(node, member, imports, keyword, wrapped.name if wrapped else result),
        *docstring(node),
    ]
    if member.decorated("contextmanager"):
        return [*lines, *background(node, imports.one), ""]
    call, arguments = f"self._sync.{member.name}", passed(node)
    if overloads:  # a checker would take one of the overloads
        imports.for_types.add("from typing import Any")
        lines.append(f"        call: Any = {call}")
        call = "call"
    value = f"{call}({', '.join(arguments)})"
    if result.startswith("AsyncGenerator"):
        value = f"self._bridge.iterate({value})"
    elif keyword == "async def":
        value = f"await self._bridge.run({', '.join([call, *arguments])})"
    if returns == "Self":
        value = f"self._like({value})"
    elif wrapped:
        value = f"{wrapped.name}({value}, self._bridge)"
    return [*lines, f"        {value}" if returns == "None" else f"        return {value}", ""]


def property_of(member: Member, imports: Imports, returns: str) -> list[str]:
    """Return the lines of a property; one that sends a request returns a coroutine."""
    value = f"self._sync.{member.name}"
    if wrapped := imports.wrapper_of(returns):
        returns = wrapped.name
        value = f"{wrapped.name}({value}, self._bridge)"
    elif member.name not in imports.one.plain:
        imports.for_types |= {"from collections.abc import Coroutine", "from typing import Any"}
        returns = f"Coroutine[Any, Any, {returns}]"
        value = f"self._bridge.run(lambda: {value})"
    return [
        "    @property",
        f"    def {member.name}(self) -> {returns}:",
        *docstring(member.last),
        f"        return {value}",
        "",
    ]


def overloads_of(member: Member, imports: Imports, returns: str) -> list[str]:
    """Return the lines of a method's overloads, one for each kind of ``decide`` among them."""
    lines = []
    for node in member.nodes[:-1]:
        result = imports.type_of(node.returns, member.module)
        head = signature(node, member, imports, *form(result, member, imports))
        lines += ["    @overload", *head, "        ...", ""]
    kinds = DECIDES.get(member.name, ())
    for kind in kinds:
        head = signature(member.last, member, imports, *form(returns, member, imports))
        both = f"decide: {' | '.join(kinds)}"
        head = [line.replace(both, f"decide: {kind}") for line in head]
        lines += ["    @overload", *head, "        ...", ""]
    if lines:
        imports.always.add("from typing import overload")
    return lines


def form(returns: str, member: Member, imports: Imports) -> tuple[str, str]:
    """Return the keyword of a method, and the type of its result."""
    if member.decorated("contextmanager"):
        imports.for_types |= {
            "from contextlib import AbstractAsyncContextManager",
            "from typing import Self",
        }
        return "def", "AbstractAsyncContextManager[Self]"
    if returns.startswith("Iterator["):
        imports.for_types.add("from collections.abc import AsyncGenerator")
        return "def", "AsyncGenerator[" + returns.removeprefix("Iterator[")
    return ("def" if member.name in imports.one.plain else "async def"), returns


def signature(
    node: ast.FunctionDef, member: Member, imports: Imports, keyword: str, returns: str
) -> list[str]:
    def parameter(argument: ast.arg, default: ast.expr | None = None) -> str:
        text = f"{argument.arg}: {imports.type_of(argument.annotation, member.module)}"
        if default is None:
            return text
        imports.need_default(default, member.module)
        return f"{text} = {ast.unparse(default)}"

    arguments = node.args
    texts = ["self"]
    plain = plain_arguments(node)
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    texts += map(parameter, plain, defaults)
    if arguments.vararg:
        texts.append("*" + parameter(arguments.vararg))
    elif arguments.kwonlyargs:
        texts.append("*")
    texts += map(parameter, arguments.kwonlyargs, arguments.kw_defaults)
    noqa = "  # noqa: PLR0913" if len(texts) > MOST_ARGUMENTS else ""
    return [
        f"    {keyword} {node.name}({noqa}",
        *(f"        {text}," for text in texts),
        f"    ) -> {returns}:",
    ]


def plain_arguments(node: ast.FunctionDef) -> list[ast.arg]:
    """Return the arguments after ``self`` that are given by their places."""
    return [*node.args.posonlyargs, *node.args.args][1:]


def passed(node: ast.FunctionDef) -> list[str]:
    """Return the arguments of the call of the synchronous method."""
    texts = [value_of(one) for one in plain_arguments(node)]
    if node.args.vararg:
        texts.append(f"*{node.args.vararg.arg}")
    return texts + [f"{one.arg}={value_of(one)}" for one in node.args.kwonlyargs]


def value_of(argument: ast.arg) -> str:
    name = argument.arg
    if name == "stop" and "int" not in ast.unparse(argument.annotation or ast.Constant(None)):
        return "self._stop(stop)"
    if name in HANDLERS:
        return f"self._handler({name})"
    if name in FUNCTIONS:
        return f"self._plain({name})"
    return name


def background(node: ast.FunctionDef, one: Wrapped) -> list[str]:
    """Return the lines that run a worker in a task."""
    arguments = [f"{a.arg}={a.arg}" for a in [*plain_arguments(node), *node.args.kwonlyargs]]
    return [
        "        return self._background(",
        f"            lambda stop: self.run_forever({', '.join(['stop=stop', *arguments])}),",
        f"            {TITLES[one.name]},",
        "        )",
    ]


def docstring(node: ast.FunctionDef) -> list[str]:
    text = ast.get_docstring(node, clean=False) or ""
    for before, after in TEXTS:
        if before in text:
            _replaced.add(before)
            text = text.replace(before, after)
    text = re.sub(r"``with ", "``async with ", text)
    return [f'        """{text}"""'] if text else []
