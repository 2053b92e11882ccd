"""Defines every environment variable that the library reads; no other file reads them.

``docs/reference/configuration.md`` lists the same variables in one table.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Final, Generic, TypeVar

from dynamo_es.exceptions import ConfigurationError

T_co = TypeVar("T_co", covariant=True)

PREFIX: Final = "DYNAMO_ES_"


def variables(environ: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Return the given variables, or those of the process for None.

    Raises:
        ConfigurationError: it is not a mapping.
    """
    if environ is None:
        return os.environ
    if not isinstance(environ, Mapping):
        kind = type(environ).__name__
        raise ConfigurationError(f"environ must be a mapping of variables, not {kind}.")
    return environ


@contextmanager
def changed(changes: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the process within a ``with`` block, for modules that are imported there."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(frozen=True, slots=True)
class Variable(Generic[T_co]):
    """An environment variable.

    Attributes:
        name: its name.
        parse: turns the text into the value; raises ValueError for a wrong text.
        kind: the text that is wanted, for messages, such as "an integer".
        default: the value while the variable is unset or blank.
    """

    name: str
    parse: Callable[[str], T_co]
    kind: str
    default: T_co

    def read(self, environ: Mapping[str, str] | None = None) -> T_co:
        """Return the variable's value; blanks around its text are ignored.

        Args:
            environ: the variables; None: those of the process.

        Raises:
            ConfigurationError: the text cannot be parsed.
        """
        text = (variables(environ).get(self.name) or "").strip()
        if not text:
            return self.default
        try:
            return self.parse(text)
        except ValueError:
            raise ConfigurationError(f"{self.name} must be {self.kind}, not {text!r}.") from None


def _switch(text: str) -> bool:
    try:
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    except KeyError:
        raise ValueError(text) from None


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(text)
    return int(text)


def _interval(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < inf:
        raise ValueError(text)
    return seconds


def _is_true(text: str) -> bool:
    """Return whether Powertools for AWS Lambda takes a text for true."""
    return text.lower() in {"1", "true", "t", "yes", "y", "on"}


_OF_TYPES: Final[Mapping[str, tuple[Callable[[str], object], str]]] = {
    "int": (int, "an integer"),
    "timedelta | float": (float, "a number of seconds"),
    "bool": (_switch, "true or false"),
}


def of_field(name: str, type_name: str) -> Variable[object]:
    """Return the variable of a setting of `DynamoConfig`: ``DYNAMO_ES_`` and its name in capitals.

    Args:
        name: name of the field.
        type_name: annotation of the field. Fields that are neither numbers nor switches are text.
    """
    parse, kind = _OF_TYPES.get(type_name, (str, "text"))
    return Variable(PREFIX + name.upper(), parse, kind, None)


def _text(name: str) -> Variable[str | None]:
    return Variable(name, str, "text", None)


OUTBOX_TARGET: Final = _text("DYNAMO_ES_OUTBOX_TARGET")
OUTBOX_SOURCE: Final = _text("DYNAMO_ES_OUTBOX_SOURCE")
OUTBOX_NAME: Final = _text("DYNAMO_ES_OUTBOX_NAME")
OUTBOX_ATTEMPTS: Final[Variable[int | None]] = Variable(
    "DYNAMO_ES_OUTBOX_ATTEMPTS", _count, "an integer of 1 or more", None
)
OUTBOX_HOURS: Final = Variable(
    "DYNAMO_ES_OUTBOX_HOURS", _interval, "a number of hours above 0", 24.0
)

SERVICE_NAME: Final = _text("POWERTOOLS_SERVICE_NAME")
METRICS_NAMESPACE: Final = _text("POWERTOOLS_METRICS_NAMESPACE")
METRICS_DISABLED: Final = Variable(
    "POWERTOOLS_METRICS_DISABLED", _is_true, "true or false", default=False
)
FUNCTION_NAME: Final = _text("AWS_LAMBDA_FUNCTION_NAME")
UPKEEP: Final = Variable("DYNAMO_ES_UPKEEP", _switch, "true or false", default=False)

AWS_REGION: Final = _text("AWS_REGION")
AWS_DEFAULT_REGION: Final = _text("AWS_DEFAULT_REGION")

TENANT: Final = Variable("DYNAMO_ES_TENANT", str, "text", "")
POLL_INTERVAL: Final = Variable(
    "DYNAMO_ES_POLL_INTERVAL", _interval, "a number of seconds above 0", 1.0
)
CREATE_TABLE: Final = _text("CREATE_TABLE")

TENANT_ROLE: Final = _text("DYNAMO_ES_TENANT_ROLE")

DEBUG: Final = Variable("DYNAMO_ES_DEBUG", _switch, "true or false", default=False)
COLUMNS: Final = _text("COLUMNS")

HANDLER: Final = _text("_HANDLER")
INITIALIZATION_TYPE: Final = _text("AWS_LAMBDA_INITIALIZATION_TYPE")
TRACE: Final = _text("_X_AMZN_TRACE_ID")

TEST_ENDPOINT: Final = _text("DYNAMO_ES_TEST_ENDPOINT")

OTHERS: Final[tuple[Variable[object], ...]] = (
    *(OUTBOX_TARGET, OUTBOX_SOURCE, OUTBOX_NAME, OUTBOX_ATTEMPTS, OUTBOX_HOURS),
    *(SERVICE_NAME, METRICS_NAMESPACE, METRICS_DISABLED, FUNCTION_NAME),
    *(AWS_REGION, AWS_DEFAULT_REGION),
    *(TENANT, POLL_INTERVAL, CREATE_TABLE),
    *(TENANT_ROLE, DEBUG, COLUMNS),
    *(HANDLER, INITIALIZATION_TYPE, TRACE, UPKEEP),
    TEST_ENDPOINT,
)
"""All variables that stand for no field of `DynamoConfig`."""
