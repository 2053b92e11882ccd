"""Helps you test an application on dynamo_es: given/when/then, Lambda's deliveries, faults.

::

    from dynamo_es.testing import given

    def test_money_can_be_withdrawn() -> None:
        (
            given(Account, Opened(owner="ann"), Deposited(amount=5))
            .when(lambda account: account.withdraw(5))
            .then(Withdrawn(amount=5))
            .state(lambda account: account.balance == 0)
        )

Install the extra: ``pip install 'dynamo_es[testing]'``. Its pytest plugin gives your tests the
fixtures ``dynamo_backend``, ``memory_backend``, ``local_engine`` and ``frozen_clock``. The names in
this module do not need pytest, and are imported when you first use them.
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
else:
    from dynamo_es.lazy import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Delivery": ".event_source_mapping",
            "EventSourceMapping": ".event_source_mapping",
            "Fault": ".faults",
            "Faulty": ".unreliable",
            "FrozenClock": ".clock",
            "GivenAggregate": ".scenarios",
            "GivenEvents": ".scenarios",
            "Invocation": ".event_source_mapping",
            "Killed": ".lambda_context",
            "LambdaContext": ".lambda_context",
            "Network": ".faults",
            "Outcome": ".outcome",
            "ProjectedEvents": ".projecting",
            "RandomNetwork": ".faults",
            "check_upcasters": ".upcasters",
            "faulty": ".unreliable",
            "given": ".scenarios",
            "lambda_events": ".stream_records",
        },
    )

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
