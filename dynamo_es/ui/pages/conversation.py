"""A conversation: the events of one correlation id as a tree of causes.

No index leads from a correlation id to its events. So the page searches a part of the log around
the event and the event's own stream, and says which part.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.routing import Route

from dynamo_es.exceptions import CredentialsError
from dynamo_es.ui.browser import browser_of
from dynamo_es.ui.queries import changed, event_address, number_of, stream_of, tenant_of, text_of
from dynamo_es.ui.rendering import render, utc
from dynamo_es.ui.window import Window, read_window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from dynamo_es.values import Position, RawEvent, TenantId

_POSITIONS: Final = 1_000
"""Positions of the log that one page reads."""
_VERSIONS: Final = 200
"""Events of the event's own stream that one page reads."""
_DEEPEST: Final = 40
"""The deepest level of indentation. Deeper events stay on this level."""


@dataclass(slots=True)
class Node:
    """An event of a conversation.

    Attributes:
        event: the event.
        tenant_id: its tenant.
        position: its position in the log; None: it was found in its stream.
        link: address of its page; None: it is in a versionless stream.
        cause: id of the event that caused it, as text; None: no cause is stored.
        effects: the events that it caused.
    """

    event: RawEvent
    tenant_id: TenantId
    position: Position | None
    link: str | None
    cause: str | None
    effects: list[Node] = field(default_factory=list)


class Line(NamedTuple):
    """A line of the tree: an event, how deep it is, and whether its cause was not found."""

    node: Node
    depth: int
    orphan: bool


def conversation(request: Request) -> Response:
    """Show the events of a conversation."""
    browser = browser_of(request)
    tenant_id = browser.check_tenant(tenant_of(request))
    stream_id = stream_of(request)
    wanted = text_of(request, "of")
    if not wanted:
        raise HTTPException(400, "of must be a correlation id or an event id.")
    version = number_of(request, "version", 1, least=1) or 1
    start = max(version - _VERSIONS // 2, 1)
    storage = browser.backend_of(tenant_id).storage
    own = storage.fetch_events(stream_id, start, start + _VERSIONS)
    window: Window | None = None
    refused = ""
    try:
        around = number_of(request, "around", _position_of(request, tenant_id, version, own, start))
        window = read_window(browser.backend_of(tenant_id).log, around, _POSITIONS)
    except CredentialsError as error:
        refused = str(error)
    nodes = _nodes(tenant_id, start, own, window)
    lines = list(tree(members(nodes, wanted)))
    return render(
        request,
        "conversation.html",
        tenant_id=tenant_id,
        stream_id=own[0].stream_id if own else stream_id,
        wanted=wanted,
        lines=lines,
        window=window,
        refused=refused,
        start=start,
        stop=start + len(own) - 1,
        version=version,
        earlier=_shifted(request, window, -1),
        later=_shifted(request, window, 1),
    )


def _position_of(
    request: Request, tenant_id: TenantId, version: int, own: Sequence[RawEvent], start: int
) -> Position | None:
    """Return the event's position from the query, or from a bounded search; None if not found."""
    if "around" in request.query_params or not start <= version < start + len(own):
        return None
    event = own[version - start]
    found = browser_of(request).reading.find_position(
        tenant_id,
        event.stream_id,
        generation=event.generation or 0,
        version=version,
        before=None,
    )
    return found.position


def members(nodes: Iterable[Node], wanted: str) -> list[Node]:
    """Return the events of a conversation, and the events that they caused.

    Args:
        nodes: the events to search.
        wanted: a correlation id, or the id of an event. An event that has a correlation id belongs
            to the conversation of that id.
    """
    nodes = list(nodes)
    ids = {wanted.lower()}
    correlations = {wanted}
    for node in nodes:
        correlation = _text(node.event.context.get("correlation_id"))
        if str(node.event.uuid) == wanted.lower() and correlation is not None:
            correlations.add(correlation)
    found: dict[str, Node] = {}
    while True:
        new = [
            node
            for node in nodes
            if str(node.event.uuid) not in found
            and (
                _text(node.event.context.get("correlation_id")) in correlations
                or str(node.event.uuid) in ids
                or (node.cause is not None and node.cause.lower() in ids)
            )
        ]
        if not new:
            return list(found.values())
        for node in new:
            found[str(node.event.uuid)] = node
            ids.add(str(node.event.uuid))


def tree(nodes: Iterable[Node]) -> Iterator[Line]:
    """Yield events in the order of a tree: each before the events that it caused."""
    by_id = {str(node.event.uuid): node for node in nodes}
    roots: list[tuple[Node, bool]] = []
    for node in sorted(by_id.values(), key=_when):
        cause = None if node.cause is None else by_id.get(node.cause.lower())
        if cause is None or cause is node:
            roots.append((node, node.cause is not None and cause is None))
        else:
            cause.effects.append(node)
    shown: set[str] = set()
    # Events that caused each other in a circle have no root, so each that is left begins a tree.
    for root, orphan in [*roots, *((node, False) for node in by_id.values())]:
        pending = [Line(root, 0, orphan)]
        while pending:
            line = pending.pop()
            if str(line.node.event.uuid) in shown:
                continue
            shown.add(str(line.node.event.uuid))
            yield line
            depth = min(line.depth + 1, _DEEPEST)
            pending += [Line(one, depth, False) for one in reversed(line.node.effects)]  # noqa: FBT003


def _nodes(
    tenant_id: TenantId, start: int, own: Iterable[RawEvent], window: Window | None
) -> Iterator[Node]:
    seen = set()
    for record in () if window is None else window.records:
        event = record.entry
        seen.add(event.uuid)
        link = None
        if event.version is not None:
            link = event_address(record.tenant_id, event.stream_id, event.version)
        yield Node(event, record.tenant_id, record.position, link, _cause(event))
    for number, event in enumerate(own, start):
        if event.uuid not in seen:
            link = event_address(tenant_id, event.stream_id, number)
            yield Node(event, tenant_id, None, link, _cause(event))


def _cause(event: RawEvent) -> str | None:
    return _text(event.context.get("causation_id"))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _when(node: Node) -> tuple[int, float]:
    position = node.position
    return (0 if position is None else position, utc(node.event.created_at).timestamp())


def _shifted(request: Request, window: Window | None, direction: int) -> str | None:
    """Return the address of the part of the log before or after this one."""
    if window is None or not window.last:
        return None
    if (direction < 0 and window.first == 1) or (direction > 0 and window.last == window.end):
        return None
    middle = (window.first + window.last + 1) // 2
    return changed(request, around=max(middle + direction * _POSITIONS, 1))


routes = [Route("/conversation", conversation)]
