"""`faulty`: a backend whose requests fail at random, but reproducibly."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.contracts.checks.arguments import check_kind
from dynamo_es.dynamodb.backend import DynamoBackend
from dynamo_es.dynamodb.emulator.emulator import isolated_session
from dynamo_es.dynamodb.wire.boto.sending import send_directly, sender_of
from dynamo_es.exceptions import InputError
from dynamo_es.testing.faults import Fault, RandomNetwork
from dynamo_es.wording import shown

if TYPE_CHECKING:
    from collections import Counter

_RETRY_HANDLER: Final = "retry-config-dynamodb"
_RETRY_EVENT: Final = "needs-retry.dynamodb"
_PAUSE: Final = 0.05
"""How many seconds a wait of the SDK takes, only on the network's clock."""


def faulty(  # noqa: PLR0913 - one rate for each fault
    backend: DynamoBackend,
    *,
    lost_replies: float = 0.0,
    lost_requests: float = 0.0,
    throttled: float = 0.0,
    errors_after_write: float = 0.0,
    delivered_twice: float = 0.0,
    late: float = 0.0,
    cut_replies: float = 0.0,
    past_the_deadline: float = 0.0,
    partly_throttled: float = 0.0,
    seed: int = 0,
) -> Faulty:
    """Return a context manager for a backend whose requests fail at random.

    ::

        with faulty(backend, lost_replies=0.05, throttled=0.1, seed=7) as unreliable:
            for number in range(20):
                deposit(unreliable, "ann", 1, command_id=f"deposit-{number}")
        assert balance(backend, "ann") == 20

    It acts as a second process over the same tables; check the results with ``backend``. If one
    thread calls it, the same seed gives the same faults for the same requests, because it sends one
    request after the other (``max_parallel=1``). Tests do not wait: the pauses of the SDK and of
    the backend pass on a separate clock.

    Args:
        backend: a `DynamoBackend` on an emulator or a local engine.
        lost_replies: rate of requests that are carried out, but whose reply never comes. Each rate
            is the probability of the fault for one HTTP request; together they are at most 1.
        lost_requests: rate of requests that never arrive.
        throttled: rate of requests that are refused for lack of capacity.
        errors_after_write: rate of requests that are carried out, but get an internal error.
        delivered_twice: rate of requests that arrive twice.
        late: rate of requests that the client gives up on, and that arrive before a later one.
        cut_replies: rate of requests that are carried out, but whose connection breaks in the
            middle of the reply.
        past_the_deadline: rate of requests that are carried out, but whose reply comes an hour
            later.
        partly_throttled: rate of batches of which every second part is refused for lack of
            capacity. It does not affect other requests.
        seed: decides which requests fail.

    Raises:
        InputError: a rate out of range, no rate at all, or a backend that sends no requests.
    """
    if not isinstance(backend, DynamoBackend):
        raise InputError(
            f"faulty needs a DynamoBackend, whose requests can fail, not {shown(backend)}: use "
            "the fixture dynamo_backend, or DynamoBackend.local()."
        )
    check_kind("seed", seed, int)
    rates = {
        Fault.LOST_REPLY: lost_replies,
        Fault.LOST_REQUEST: lost_requests,
        Fault.THROTTLED: throttled,
        Fault.ERROR_AFTER_WRITE: errors_after_write,
        Fault.DELIVERED_TWICE: delivered_twice,
        Fault.LATE: late,
        Fault.CUT_WHILE_READING: cut_replies,
        Fault.PAST_THE_DEADLINE: past_the_deadline,
        Fault.PARTLY_THROTTLED: partly_throttled,
    }
    for fault, rate in rates.items():
        if type(rate) not in {int, float} or not 0 <= rate <= 1:
            raise InputError(
                f"The rate of {fault.value!r} must be a number from 0 to 1, not {shown(rate)}."
            )
    if not 0 < sum(rates.values()) <= 1:
        raise InputError(
            f"The rates must add up to more than 0 and at most 1, not {sum(rates.values())}."
        )
    return Faulty(backend, rates, seed)


class Faulty:
    """The context manager that `faulty` returns."""

    def __init__(self, backend: DynamoBackend, rates: dict[Fault, float], seed: int) -> None:
        self._backend = backend
        self._rates = rates
        self._seed = seed
        self._network: RandomNetwork | None = None

    @property
    def injected(self) -> Counter[Fault]:
        """The number of times that each fault has happened."""
        return self._running.injected

    @property
    def sent(self) -> int:
        """The number of HTTP requests, including the SDK's retries."""
        return self._running.sent

    def __enter__(self) -> DynamoBackend:
        client = _new_client(self._backend)
        random = Random(self._seed)  # noqa: S311 - for the faults of a test
        network = self._network = RandomNetwork(client, random, self._rates)
        _never_wait(client, self._backend, network)
        return _second_process(self._backend, client, network)

    def __exit__(self, *_: object) -> None:
        """End the faults, and let the late requests arrive."""
        self._running.heal()

    @property
    def _running(self) -> RandomNetwork:
        if self._network is None:
            raise InputError("faulty is a context manager: enter it with a with statement first.")
        return self._network


def _new_client(backend: DynamoBackend) -> Any:
    """Return a client for the backend's tables with its own connections and retries."""
    given: Any = backend.client
    credentials = given._request_signer._credentials.get_frozen_credentials()  # noqa: SLF001
    session = isolated_session(
        credentials.access_key,
        credentials.secret_key,
        given.meta.region_name,
        credentials.token,
    )
    client: Any = session.client(
        "dynamodb", endpoint_url=given.meta.endpoint_url, config=given.meta.config
    )
    # The emulator is not a server: its clients pass their requests on without a connection.
    client._endpoint.http_session = given._endpoint.http_session  # noqa: SLF001
    if sender_of(given) is not None:
        send_directly(client)
    return client


def _never_wait(client: Any, backend: DynamoBackend, network: RandomNetwork) -> None:
    """Replace the SDK's pauses between tries by pauses on the network's clock."""
    from botocore.retries.standard import register_retry_handler

    events = client.meta.events
    events.unregister(_RETRY_EVENT, unique_id=_RETRY_HANDLER)
    handler = register_retry_handler(client, backend.config.max_attempts)
    events.unregister(_RETRY_EVENT, unique_id=_RETRY_HANDLER)

    def retry(**attempt: Any) -> float | None:
        if handler.needs_retry(**attempt) is None:
            return None
        network.sleep(_PAUSE)
        return 0.0

    events.register(_RETRY_EVENT, retry, unique_id=_RETRY_HANDLER)


def _second_process(backend: DynamoBackend, client: Any, network: RandomNetwork) -> DynamoBackend:
    typed = backend._typed  # noqa: SLF001 - a class of this library, as below
    second = type(backend)(
        # With several requests at once, the faults would not be reproducible.
        replace(backend.config, max_parallel=1),
        client,
        backend.observer,
        clock=typed._clock,  # noqa: SLF001
        monotonic=network.monotonic,
        sleep=network.sleep,
        registry=typed._given_registry,  # noqa: SLF001
        streams_client=backend.streams_client,
    )
    hooks, own = backend._storage.hooks, second._storage.hooks  # type: ignore[attr-defined]  # noqa: SLF001
    own.listener, own.outbox_filter = hooks.listener, hooks.outbox_filter
    tenant = backend._log_tenant  # noqa: SLF001
    return second if tenant is None else second.in_tenant(tenant)
