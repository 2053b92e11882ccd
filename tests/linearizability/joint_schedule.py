"""Runs several processes on several streams together, interleaved request by request."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from dynamo_es import ExplicitVersioning
from dynamo_es.dynamodb.streams.appending import append_all, append_part
from tests.linearizability import histories
from tests.linearizability.histories import AppendAll
from tests.linearizability.joint_workload import JointWorker
from tests.linearizability.scheduler import Process, Schedule

if TYPE_CHECKING:
    from dynamo_es.dynamodb.wire.steps import Steps
    from tests.linearizability.histories import Call
    from tests.linearizability.workload import Worker


class JointProcess(Process):
    """A process that appends to several streams, too."""

    def steps(self, number: int, call: Call) -> Steps[Any]:
        """Return the algorithm of a call."""
        if not isinstance(call, AppendAll):
            return super().steps(number, call)
        parts = [
            append_part.PartAppend.of(
                self.stream(stream),
                ExplicitVersioning(append.expected or 0),
                [histories.event(stream, label) for label in append.events],
            )
            for stream, append in call.parts
        ]
        checks = [
            append_part.Check.that(self.stream(stream), ExplicitVersioning(version))
            for stream, version in call.unchanged
        ]
        return append_all.append_to_all(parts, checks)


class JointSchedule(Schedule):
    """One history of several streams together; see `Schedule`."""

    process_class: ClassVar[type[Process]] = JointProcess

    def worker(self, letter: str) -> Worker:
        """Return what decides the calls of a process."""
        seed = self._random.random()
        return JointWorker(letter, Random(seed), self.conditions.streams, self.conditions.deletions)
