"""Subscriptions: yield events of this process at once, and poll for those of other processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eventsourcing.persistence import ApplicationRecorder, ListenNotifySubscription

from dynamo_es.forking import new_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from threading import Event


class Listeners:
    """Wakes the subscriptions of a recorder. Safe to share between threads."""

    def __init__(self) -> None:
        self._events: set[Event] = set()
        self._lock = new_lock()

    def add(self, event: Event) -> None:
        """Set this `threading.Event` whenever events are stored."""
        with self._lock:
            self._events.add(event)

    def remove(self, event: Event) -> None:
        """Stop setting a `threading.Event`."""
        with self._lock:
            self._events.discard(event)

    def notify(self) -> None:
        """Set all events."""
        with self._lock:
            for event in self._events:
                event.set()


class Polling:
    """The common part of both kinds of subscriptions. List it before the library's base class."""

    _listeners: Listeners
    _poll_interval: float
    _has_been_notified: Event
    _has_been_stopped: bool
    _thread_error: BaseException | None
    _pull: Callable[[], None]

    def stop(self) -> None:
        """Stop the iteration."""
        super().stop()  # type: ignore[misc] # of the library's class
        self._listeners.remove(self._has_been_notified)

    def _loop_on_pull(self) -> None:
        try:
            while not self._has_been_stopped:
                self._pull()
                self._has_been_notified.wait(self._poll_interval)
        except BaseException as error:  # noqa: BLE001 - the iteration raises it
            if self._thread_error is None:
                self._thread_error = error
            self.stop()


class DynamoSubscription(Polling, ListenNotifySubscription[ApplicationRecorder]):
    """Yields notifications. `DynamoApplicationRecorder.subscribe` makes it.

    Args:
        recorder: reads the notifications.
        listeners: the listeners of the recorder.
        poll_interval: seconds between two reads for other processes' events.
        gt: yield notifications after this id, exclusive; None: all.
        topics: yield only notifications of these topics; empty: of every topic.
    """

    def __init__(
        self,
        recorder: ApplicationRecorder,
        listeners: Listeners,
        poll_interval: float,
        gt: int | None = None,
        topics: Sequence[str] = (),
    ) -> None:
        # Set before the base class starts its thread, which uses them.
        self._listeners = listeners
        self._poll_interval = poll_interval
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        listeners.add(self._has_been_notified)
