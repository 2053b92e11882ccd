"""The engines with a log of each tenant. Their processes read one tenant's log: the default's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from dynamo_es import DynamoBackend, MemoryBackend
from dynamo_es.memory import MemoryStorage
from dynamo_es.values import DEFAULT_TENANT
from tests.engine import LOCAL, MOTO, LocalEngine, MemoryEngine, MotoEngine

if TYPE_CHECKING:
    from tests.engine import Backend, Engine


class MemoryOfTenants(MemoryEngine):
    name = "memory, a log of each tenant"

    def start(self) -> None:
        super().start()
        self._storage = MemoryBackend(log_scope="tenant").storage  # type: ignore[assignment]

    def fresh_process(self, *, inline: bool = False) -> Backend:
        storage = MemoryStorage(shared=self._storage.data)
        return MemoryBackend(storage, log_scope="tenant").in_tenant(DEFAULT_TENANT)


class MotoOfTenants(MotoEngine):
    name = "moto, a log of each tenant"
    lacks: ClassVar = MotoEngine.lacks

    def start(self) -> None:
        super().start()
        self._config = replace(self._config, log_scope="tenant")

    def fresh_process(self, *, inline: bool = False) -> Backend:
        config = self.config_with(sequencing="inline" if inline else "stream")
        return DynamoBackend(config, client=self._client).in_tenant(DEFAULT_TENANT)


class LocalOfTenants(LocalEngine):
    name = "local engine, a log of each tenant"

    def start(self) -> None:
        self._config = replace(self._config, log_scope="tenant")
        super().start()

    def fresh_process(self, *, inline: bool = False) -> Backend:
        config = self.config_with(sequencing="inline" if inline else "stream")
        return DynamoBackend(config, client=self._client).in_tenant(DEFAULT_TENANT)


def with_a_log_of_each_tenant(engine: Engine) -> Engine:
    """Return the engine of the same kind whose tenants have logs of their own."""
    if engine.name == LOCAL:
        assert isinstance(engine, LocalEngine)
        return LocalOfTenants(str(engine._config.endpoint_url))
    return MotoOfTenants() if engine.name == MOTO else MemoryOfTenants()
