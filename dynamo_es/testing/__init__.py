"""Tests for applications on dynamo_es: given, when, then; Lambda's deliveries; faults.

::

    from dynamo_es.testing import given

    def test_money_can_be_withdrawn() -> None:
        (
            given(Account, Opened(owner="ann"), Deposited(amount=5))
            .when(lambda account: account.withdraw(5))
            .then(Withdrawn(amount=5))
            .state(lambda account: account.balance == 0)
        )

Install the extra: ``pip install 'dynamo_es[testing]'``. It comes with a pytest plugin, which gives
your tests the fixtures ``dynamo_backend``, ``memory_backend``, ``local_engine`` and
``frozen_clock``. The parts here need no pytest, and load when you first use their names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo_es.testing.clock import FrozenClock
    from dynamo_es.testing.event_source_mapping import Delivery, EventSourceMapping, Invocation
    from dynamo_es.testing.faults import Fault, Network, RandomNetwork
    from dynamo_es.testing.lambda_context import Killed, LambdaContext
    from dynamo_es.testing.outcome import Outcome
    from dynamo_es.testing.projecting import ProjectedEvents
    from dynamo_es.testing.scenarios import GivenAggregate, GivenEvents, given
    from dynamo_es.testing.stream_records import lambda_events
    from dynamo_es.testing.unreliable import Faulty, faulty
    from dynamo_es.testing.upcasters import check_upcasters

__all__ = [
    "Delivery",
    "EventSourceMapping",
    "Fault",
    "Faulty",
    "FrozenClock",
    "GivenAggregate",
    "GivenEvents",
    "Invocation",
    "Killed",
    "LambdaContext",
    "Network",
    "Outcome",
    "ProjectedEvents",
    "RandomNetwork",
    "check_upcasters",
    "faulty",
    "given",
    "lambda_events",
]

_LAZY = {
    "Delivery": "dynamo_es.testing.event_source_mapping",
    "EventSourceMapping": "dynamo_es.testing.event_source_mapping",
    "Fault": "dynamo_es.testing.faults",
    "Faulty": "dynamo_es.testing.unreliable",
    "FrozenClock": "dynamo_es.testing.clock",
    "GivenAggregate": "dynamo_es.testing.scenarios",
    "GivenEvents": "dynamo_es.testing.scenarios",
    "Invocation": "dynamo_es.testing.event_source_mapping",
    "Killed": "dynamo_es.testing.lambda_context",
    "LambdaContext": "dynamo_es.testing.lambda_context",
    "Network": "dynamo_es.testing.faults",
    "Outcome": "dynamo_es.testing.outcome",
    "ProjectedEvents": "dynamo_es.testing.projecting",
    "RandomNetwork": "dynamo_es.testing.faults",
    "check_upcasters": "dynamo_es.testing.upcasters",
    "faulty": "dynamo_es.testing.unreliable",
    "given": "dynamo_es.testing.scenarios",
    "lambda_events": "dynamo_es.testing.stream_records",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
