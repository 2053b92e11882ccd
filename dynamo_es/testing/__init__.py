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
    from dynamo_es.testing.outcome import Outcome
    from dynamo_es.testing.projecting import ProjectedEvents
    from dynamo_es.testing.scenarios import GivenAggregate, GivenEvents, given
    from dynamo_es.testing.upcasters import check_upcasters

__all__ = [
    "FrozenClock",
    "GivenAggregate",
    "GivenEvents",
    "Outcome",
    "ProjectedEvents",
    "check_upcasters",
    "given",
]

_LAZY = {
    "FrozenClock": "dynamo_es.testing.clock",
    "GivenAggregate": "dynamo_es.testing.scenarios",
    "GivenEvents": "dynamo_es.testing.scenarios",
    "Outcome": "dynamo_es.testing.outcome",
    "ProjectedEvents": "dynamo_es.testing.projecting",
    "check_upcasters": "dynamo_es.testing.upcasters",
    "given": "dynamo_es.testing.scenarios",
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
