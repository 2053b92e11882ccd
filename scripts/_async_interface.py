"""Writes the classes of `dynamo_es.aio` from the synchronous ones; see scripts/async-interface."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "dynamo_es" / "aio"

MOST_ARGUMENTS = 6

HANDLERS = frozenset({"handler", "publisher", "read_model"})
"""Parameters with functions of users that threads call, unless they are coroutine functions."""
FUNCTIONS = frozenset({"decide", "listener", "on_progress"})
"""Parameters with functions of users that are called where the library calls them."""
DECIDES = {
    "transact": ("Callable[[TAggregate], Awaitable[R]]", "Callable[[TAggregate], R]"),
    "transact_all": ("Callable[..., Awaitable[R]]", "Callable[..., R]"),
}
"""By method, the two kinds of ``decide``, each with an overload of its own."""
TYPES = {
    "Listener": "Listener | AsyncListener",
    **{kinds[1]: " | ".join(kinds) for kinds in DECIDES.values()},
    "Callable[[ProjectionReport], None] | None": "Callable[[ProjectionReport], object] | None",
    "Flag | None": "Event | None",
    "Handler": "Handler | AsyncProjector",
}
WORKERS = ("dynamo_es.projections", "dynamo_es.outbox", "dynamo_es.boundaries.indexing")
"""Beginnings of the modules of workers, where an ``Event`` is what stops one."""
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
"""Texts of docstrings that differ."""


@dataclass(frozen=True)
class Wrapped:
    """An asynchronous class.

    Attributes:
        name: its name.
        of: module and name of the synchronous class.
        doc: its docstring.
        plain: members that send nothing, so that they need no await.
        left_out: members that it does not have.
        bases: its base classes, as they are written.
        by_hand: members of its bases.
        imports: lines of imports that the bases need.
        of_aggregates: whether the class is one of aggregates of a kind.
        module: its module; empty: of its name, in `dynamo_es.aio`.
    """

    name: str
    of: str
    doc: str
    plain: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    bases: str = "Over"
    by_hand: frozenset[str] = frozenset()
    imports: tuple[str, ...] = ()
    of_aggregates: bool = False
    module: str = ""

    def __post_init__(self) -> None:
        if not self.module:
            file = re.sub(r"(?<!^)(?=[A-Z])", "_", self.name.removeprefix("Async")).lower()
            object.__setattr__(self, "module", f"dynamo_es.aio.{file}")

    @property
    def path(self) -> Path:
        return ROOT.joinpath(*self.module.split(".")).with_suffix(".py")


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


CLASSES = [
    Wrapped(
        "AsyncStorage",
        "dynamo_es.contracts.storage:StorageStrategy",
        "Stores and loads the raw events of one tenant; see `StorageStrategy`.",
        plain=names("append_cost scoped_for_tenant"),
    ),
    Wrapped(
        "AsyncEventStore",
        "dynamo_es.event_store.store:EventStore",
        "Appends and loads one tenant's typed events; see `EventStore`.",
        plain=names("is_consistent is_snapshot tenant_id groups"),
    ),
    Wrapped(
        "AsyncEncryption",
        "dynamo_es.event_store.encryption.service:Encryption",
        "Encrypts one tenant's fields, and shreds keys; see `Encryption`.",
        plain=names("forget_keys scoped_for_tenant"),
        left_out=names("reading refuse_marked_context with_throwaway_keys decrypt encrypt"),
    ),
    Wrapped(
        "AsyncLog",
        "dynamo_es.contracts.log:LogStrategy",
        "Reads the log; see `LogStrategy`.",
        plain=names("scoped_for_tenant per_tenant"),
    ),
    Wrapped(
        "AsyncLogReader",
        "dynamo_es.contracts.log:LogReader",
        "Reads events of the log, piece by piece; see `LogReader`.",
        plain=names("passed_over position positions"),
    ),
    Wrapped(
        "AsyncCheckpoints",
        "dynamo_es.contracts.checkpoints:CheckpointStrategy",
        "The positions of the log's consumers; see `CheckpointStrategy`.",
        plain=names("of_version scoped_for_tenant new_writes"),
    ),
    Wrapped(
        "AsyncCursors",
        "dynamo_es.contracts.cursors:CursorStrategy",
        "The versions of read models in single streams; see `CursorStrategy`.",
        plain=names("new_writes"),
    ),
    Wrapped(
        "AsyncConsumers",
        "dynamo_es.contracts.consumers:ConsumerFinder",
        "Finds the cursors and outboxes that are in use; see `ConsumerFinder`.",
        plain=names("scoped_for_tenant"),
    ),
    Wrapped(
        "AsyncParked",
        "dynamo_es.contracts.parked:ParkedStrategy",
        "The streams that consumers have parked; see `ParkedStrategy`.",
        plain=names("scoped_for_tenant per_tenant"),
    ),
    Wrapped(
        "AsyncSubscriptions",
        "dynamo_es.contracts.subscription:SubscriptionStrategy",
        "Subscribes to raw events of the log; see `SubscriptionStrategy`.",
    ),
    Wrapped(
        "AsyncSubscriber",
        "dynamo_es.subscriptions.subscriber:Subscriber",
        "Builds a subscription to typed events; see `Subscriber`.\n\n"
        '    ``async for recorded in backend.subscriber.after(0).to_category("account")``',
        plain=names("after to_category to_events in_tenant"),
        bases="SubscribesLater",
        by_hand=names("build_batch build_iter"),
        imports=("from dynamo_es.aio.subscribing import SubscribesLater",),
    ),
    Wrapped(
        "AsyncListeners",
        "dynamo_es.subscriptions.listeners:Listeners",
        "Registers functions to call after each append; see `Listeners`.\n\n"
        "    A plain function is called on the loop's thread, so it must not block.",
        plain=names("register remove scoped_for_tenant"),
    ),
    Wrapped(
        "AsyncOutbox",
        "dynamo_es.outbox.outbox:Outbox",
        "Publishes events; see `Outbox`. A thread runs a publisher that is a plain function.",
        plain=names("name named"),
        left_out=names("tries"),
    ),
    Wrapped(
        "AsyncProjection",
        "dynamo_es.projections.projection:Projection",
        "Calls a handler with every event of the log, and keeps a checkpoint; see `Projection`.\n\n"
        "    A thread runs a handler that is a plain function.",
        plain=names("name handler over_all_logs version"),
        bases="RunsByStream",
        imports=("from dynamo_es.aio.running_by_stream import RunsByStream",),
    ),
    Wrapped(
        "AsyncProjections",
        "dynamo_es.facade.projections:Projections",
        "The projections of a backend; see `Projections`.",
    ),
    Wrapped(
        "AsyncProjector",
        "dynamo_es.projections.projector:Projector",
        "Applies the events of streams to a read model; see `Projector`.\n\n"
        "    A thread runs a read model that is a plain function.",
        left_out=names("check_returned choosing follow generation_of load note now_ms version_of"),
    ),
    Wrapped(
        "AsyncBoundary",
        "dynamo_es.boundaries.boundary:Boundary",
        "Reads, appends and decides in a dynamic consistency boundary; see `Boundary`.",
        plain=names("stream_id typed"),
    ),
    Wrapped(
        "AsyncBoundaryIndex",
        "dynamo_es.boundaries.indexing:BoundaryIndex",
        "Writes which events of a boundary have which tag; see `BoundaryIndex`.",
    ),
    Wrapped(
        "AsyncRepository",
        "dynamo_es.aggregates.repository:Repository",
        "Loads and saves the aggregates of one tenant; see `Repository`.\n\n"
        "    Args are those of `Repository`: an `AsyncEventStore` is the first.",
        bases="MakesRepository[TAggregate]",
        by_hand=names("aggregate"),
        imports=("from dynamo_es.aio.repositories import MakesRepository",),
        of_aggregates=True,
    ),
    Wrapped(
        "AsyncBackend",
        "dynamo_es.facade.backend:Backend",
        "Gives access to one tenant's streams, and to the log; see `Backend`.",
        plain=names(
            "limited_to with_outbox deserialize in_tenant projection projector select chooser "
            "boundary"
        ),
        bases="HasBridge",
        by_hand=names("prepare create_tables close"),
        imports=("from dynamo_es.aio.having_bridge import HasBridge",),
    ),
    Wrapped(
        "AsyncAggregates",
        "dynamo_es.http.aggregates:Aggregates",
        "The aggregates of a class, for one request; see `Aggregates`.\n\n"
        "    Args are those of `Aggregates`: an `AsyncRepository` is the first.",
        bases="MakesAggregates[TAggregate]",
        by_hand=names("of_request"),
        imports=("from dynamo_es.http.making_async_aggregates import MakesAggregates",),
        of_aggregates=True,
        module="dynamo_es.http.async_aggregates",
    ),
]

RESULTS = {
    **{one.of.partition(":")[2]: one for one in CLASSES},
}


def main() -> int:
    """Write the modules, or with ``--check`` say which are out of date."""
    stale = []
    for one in CLASSES:
        path, text = one.path, formatted(module_of(one))
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv:
            path.write_text(text, "utf-8")
    if stale and "--check" in sys.argv:
        sys.stderr.write(f"Out of date: {', '.join(stale)}. Run scripts/async-interface.\n")
        return 1
    return 0


def formatted(text: str) -> str:
    ruff = Path(sys.executable).parent / "ruff"
    command = [str(ruff) if ruff.exists() else "ruff"]
    for step in (["check", "--fix", "--quiet"], ["format", "--quiet"]):
        done = subprocess.run(  # noqa: S603 - the formatter of this project
            [*command, *step, "--stdin-filename", str(PACKAGE / "x.py"), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
        )
        if not done.stdout:
            raise RuntimeError(done.stderr)
        text = done.stdout
    return text


# --- reading


@dataclass(frozen=True)
class Member:
    """A public member of a class: its definitions (several if it is overloaded), and its module."""

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


def origin(name: str, module: str) -> tuple[str, str] | None:  # noqa: C901 - one branch for each way
    """Return the import line of a name in a module, and whether it is one of types only."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    renamed = f" as {alias.asname}" if alias.asname else ""
                    return name, f"from {node.module} import {alias.name}{renamed}"
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name == name:
                    return name, f"import {name}"
    for node in tree_of(module).body:
        targets: list[Any] = []
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            targets = [node.name]
        elif isinstance(node, ast.AnnAssign):
            targets = [ast.unparse(node.target)]
        elif isinstance(node, ast.Assign):
            targets = [ast.unparse(target) for target in node.targets]
        if name in targets:
            return name, f"from {module} import {name}"
    return None


# --- writing


@dataclass
class Module:
    """A module that is being written."""

    one: Wrapped
    for_types: set[str] = field(default_factory=set)
    always: set[str] = field(default_factory=set)

    def type_of(self, node: ast.expr | None, module: str) -> str:
        text = "None" if node is None else ast.unparse(node).strip("'")
        text = TYPES.get(text, text)
        for name in set(re.findall(r"[A-Za-z_][A-Za-z_0-9]*", text)):
            self.need(name, module)
        return text

    def need(self, name: str, module: str, *, runs: bool = False) -> None:
        known = {
            "Event": "from asyncio import Event" if module.startswith(WORKERS) else "",
            "Awaitable": "from collections.abc import Awaitable",
            "AsyncListener": "from dynamo_es.aio.functions import AsyncListener",
            "AsyncProjector": "from dynamo_es.aio.projector import AsyncProjector",
            "Self": "from typing import Self",
        }.get(name)
        if known:
            self.for_types.add(known)
            return
        found = origin(name, module)
        if found is not None:
            (self.always if runs else self.for_types).add(found[1])


def module_of(one: Wrapped) -> str:
    module = Module(one)
    body = [text for member in members_of(one) for text in written(member, module)]
    source, _, name = one.of.partition(":")
    module.for_types.add(f"from {source} import {name}")
    generic = name
    lines: list[str] = []
    if one.of_aggregates:
        lines += ['R = TypeVar("R")', ""]
        generic = f"{name}[TAggregate]"
        module.always |= {"from typing import TypeVar"}
        module.always.add(f"from {source} import TAggregate")
        own = (" import R", " import TAggregate")
        module.for_types = {line for line in module.for_types if not line.endswith(own)}
        module.for_types.discard("from dynamo_es.aggregates.repository import R")
    if one.bases == "Over":
        module.always.add("from dynamo_es.aio.over import Over")
    module.always |= set(one.imports)
    head = [
        f'"""`{one.name}`: scripts/async-interface writes it, from `{name}`."""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import TYPE_CHECKING",
        *sorted(module.always),
        "",
        "if TYPE_CHECKING:",
        *(f"    {line}" for line in sorted(module.for_types - module.always)),
        "",
        *lines,
        f"class {one.name}({one.bases}):",
        f'    """{one.doc}' + ("\n    " if "\n" in one.doc else "") + '"""',
        "",
        f"    _sync: {generic}",
        "",
    ]
    return "\n".join([*head, *body]) + "\n"


def written(member: Member, module: Module) -> list[str]:  # noqa: C901 - one branch for each kind
    """Return the lines of the asynchronous form of a member."""
    node, one = member.last, module.one
    returns = module.type_of(node.returns, member.module)
    wrapped = RESULTS.get(returns)
    lines: list[str] = []
    for overload in member.nodes[:-1]:
        module.always.add("from typing import overload")
        result = module.type_of(overload.returns, member.module)
        lines += [
            "    @overload",
            *signature(overload, module, member, *form(result, member, one)),
            "        ...",
            "",
        ]
    if kinds := DECIDES.get(member.name):
        module.always.add("from typing import overload")
        for decide in kinds:
            lines += [
                "    @overload",
                *signature(node, module, member, *form(returns, member, one)),
            ]
            lines = [
                line.replace(f"decide: {' | '.join(kinds)}", f"decide: {decide}") for line in lines
            ]
            lines += ["        ...", ""]
    if member.decorated("property"):
        return [*lines, *property_of(member, module, returns, wrapped)]
    call = f"self._sync.{member.name}"
    arguments = ", ".join(passed(node))
    doc = docstring(node)
    keyword, result = form(returns, member, one)
    if wrapped is not None:
        result = wrapped.name
        module.always.add(f"from {wrapped.module} import {wrapped.name}")
        if wrapped.name == one.name:
            module.always.discard(f"from {wrapped.module} import {wrapped.name}")
    if result.startswith("AsyncGenerator"):
        module.for_types.add("from collections.abc import AsyncGenerator")
    lines += signature(node, module, member, keyword, result)
    lines += doc
    if member.decorated("contextmanager"):
        module.for_types.add("from contextlib import AbstractAsyncContextManager")
        lines += background(member, one)
        return [*lines, ""]
    if lines[0:1] == ["    @overload"]:  # a checker would take one of the overloads
        module.for_types.add("from typing import Any")
        lines.append(f"        call: Any = {call}")
        call = "call"
    if result.startswith("AsyncGenerator"):
        value = f"self._bridge.iterate({call}({arguments}))"
    elif member.name in one.plain:
        value = f"{call}({arguments})"
    else:
        value = f"await self._bridge.run({', '.join([call, *passed(node)])})"
    lines.append(
        f"        return {over(value, returns, wrapped)}"
        if returns != "None"
        else f"        {value}"
    )
    return [*lines, ""]


def over(value: str, returns: str, wrapped: Wrapped | None) -> str:
    if returns == "Self":
        return f"self._like({value})"
    if wrapped is not None:
        return f"{wrapped.name}({value}, self._bridge)"
    return value


def form(returns: str, member: Member, one: Wrapped) -> tuple[str, str]:
    """Return the keyword of a member, and the type of its result."""
    if member.decorated("contextmanager"):
        return "def", "AbstractAsyncContextManager[Self]"
    if returns.startswith("Iterator["):
        return "def", "AsyncGenerator[" + returns.removeprefix("Iterator[")
    return ("def" if member.name in one.plain else "async def"), returns


def property_of(member: Member, module: Module, returns: str, wrapped: Wrapped | None) -> list[str]:
    call = f"self._sync.{member.name}"
    result = returns
    if wrapped is not None:
        result = wrapped.name
        module.always.add(f"from {wrapped.module} import {wrapped.name}")
        value = f"{wrapped.name}({call}, self._bridge)"
    elif member.name in module.one.plain:
        value = call
    else:
        module.for_types |= {
            "from collections.abc import Coroutine",
            "from typing import Any",
        }
        result = f"Coroutine[Any, Any, {returns}]"
        value = f"self._bridge.run(lambda: {call})"
    return [
        "    @property",
        f"    def {member.name}(self) -> {result}:",
        *docstring(member.last),
        f"        return {value}",
        "",
    ]


def signature(
    node: ast.FunctionDef, module: Module, member: Member, keyword: str, returns: str
) -> list[str]:
    arguments = node.args
    texts = ["self"]
    plain = [*arguments.posonlyargs, *arguments.args][1:]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    for argument, default in zip(plain, defaults, strict=True):
        texts.append(parameter(argument, default, module, member))
    if arguments.vararg:
        texts.append("*" + parameter(arguments.vararg, None, module, member))
    elif arguments.kwonlyargs:
        texts.append("*")
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        texts.append(parameter(argument, default, module, member))
    if returns == "AbstractAsyncContextManager[Self]":
        module.for_types.add("from typing import Self")
    noqa = "  # noqa: PLR0913" if len(texts) > MOST_ARGUMENTS else ""
    return [
        f"    {keyword} {node.name}({noqa}",
        *(f"        {text}," for text in texts),
        f"    ) -> {returns}:",
    ]


def parameter(argument: ast.arg, default: ast.expr | None, module: Module, member: Member) -> str:
    kind = module.type_of(argument.annotation, member.module)
    text = f"{argument.arg}: {kind}"
    if default is not None:
        for name in {n.id for n in ast.walk(default) if isinstance(n, ast.Name)}:
            module.need(name, member.module, runs=True)
        text += f" = {ast.unparse(default)}"
    return text


def passed(node: ast.FunctionDef) -> list[str]:
    arguments = node.args
    texts = [value_of(one) for one in [*arguments.posonlyargs, *arguments.args][1:]]
    if arguments.vararg:
        texts.append(f"*{arguments.vararg.arg}")
    return texts + [f"{one.arg}={value_of(one)}" for one in arguments.kwonlyargs]


def value_of(argument: ast.arg) -> str:
    name = argument.arg
    if name == "stop" and "int" not in ast.unparse(argument.annotation or ast.Constant(None)):
        return "self._stop(stop)"
    if name in HANDLERS:
        return f"self._handler({name})"
    if name in FUNCTIONS:
        return f"self._plain({name})"
    return name


def background(member: Member, wrapped: Wrapped) -> list[str]:
    plain = [one.arg for one in member.last.args.args[1:]]
    named = ", ".join(
        [f"{name}={name}" for name in [*plain, *(one.arg for one in member.last.args.kwonlyargs)]]
    )
    title = {
        "AsyncOutbox": 'f"Outbox {self.name!r}"',
        "AsyncProjection": 'f"Projection {self.name!r}"',
        "AsyncBoundaryIndex": 'f"Tag index of boundary {self._sync.stream_id}"',
    }[wrapped.name]
    return [
        "        return self._background(",
        f"            lambda stop: self.run_forever(stop=stop, {named}), {title}",
        "        )",
    ]


def docstring(node: ast.FunctionDef) -> list[str]:
    text = ast.get_docstring(node, clean=False) or ""
    for before, after in TEXTS:
        text = text.replace(before, after)
    text = re.sub(r"``with ", "``async with ", text)
    return [f'        """{text}"""'] if text else []


if __name__ == "__main__":
    sys.exit(main())
