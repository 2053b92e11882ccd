"""Keys of the items in the log table.

With ``log_scope="table"`` one log holds the events of all tenants. With ``"tenant"`` each tenant
has its own log, and all its keys begin with the tenant: ``acme#log``. In both cases, the keys of
markers begin with the tenant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from dynamo_es.contracts.stream_keys import SEPARATOR, tenant_prefix, unescape

if TYPE_CHECKING:
    from dynamo_es.values import TenantId

MARKERS: Final = "streams"
"""The word after the tenant in the keys of markers."""


class LogKeys(NamedTuple):
    """A log: its table, and the prefix of its partition keys.

    Attributes:
        table: name of the log table.
        prefix: prefix of the keys: empty for the log of all tenants; for the log of one tenant, the
            result of `tenant_prefix`.
    """

    table: str
    prefix: str = ""

    @property
    def pages(self) -> str:
        """Partition key of the pages."""
        return f"{self.prefix}log"

    @property
    def minutes(self) -> str:
        """Partition key of the minutes, which say how far the log was."""
        return f"{self.prefix}minutes"

    @property
    def set_aside(self) -> str:
        """Partition key of the commits that are set aside."""
        return f"{self.prefix}set-aside"


def is_pages_key(log_key: str) -> bool:
    """Return whether a partition holds the pages of a log."""
    *tenant, word = log_key.split(SEPARATOR)
    return word == LogKeys("").pages and len(tenant) <= 1


def owner_of_pages(log_key: str) -> TenantId | None:
    """Return the tenant whose log has its pages in a partition; None: the log of all tenants."""
    tenant, separator, _ = log_key.partition(SEPARATOR)
    return unescape(tenant) if separator else None


class ConsumerKey(NamedTuple):
    """Key of a consumer's item, in three parts: ``{tenant}#{kind}#{name}``.

    Attributes:
        kind: ``checkpoint``, ``outbox`` or another word for the kind of item.
        name: name of the consumer, without ``#``.
        tenant_id: tenant whose events it handles; None: all tenants, and a key of two parts.
        version: version of a projection, which is not in the partition key; None: it has no
            versions.
    """

    kind: str
    name: str
    tenant_id: TenantId | None = None
    version: int | None = None

    @property
    def log_key(self) -> str:
        """The partition key."""
        return f"{prefix_of(self.tenant_id)}{self.kind}{SEPARATOR}{self.name}"

    @classmethod
    def read(cls, log_key: str) -> ConsumerKey:
        """Return the parts of a partition key.

        Raises:
            ValueError: the key has another number of parts.
        """
        *tenant, kind, name = log_key.split(SEPARATOR)
        if len(tenant) > 1:
            raise ValueError("The key is not a consumer's.")
        return cls(kind, name, unescape(tenant[0]) if tenant else None)


def prefix_of(tenant_id: TenantId | None) -> str:
    """Return the prefix of a tenant's keys. Keys without a tenant (None) have an empty prefix."""
    return "" if tenant_id is None else tenant_prefix(tenant_id)


def markers_key(category_key: str, digit: str) -> str:
    """Return the partition key of markers: ``{tenant}#streams#{category}#{digit}``.

    Args:
        category_key: key of a stream without the UUID, ``{tenant}#{category}``.
        digit: last hex digit of the UUIDs.
    """
    # A text without a separator is not a stream's key, but still needs its own partition key.
    tenant, separator, category = category_key.partition(SEPARATOR)
    return f"{tenant}{SEPARATOR}{MARKERS}{separator}{category}{SEPARATOR}{digit}"


def is_markers_key(log_key: str) -> bool:
    """Return whether a partition holds markers. Only their keys have the word after the tenant."""
    return log_key.split(SEPARATOR, 2)[1:2] == [MARKERS]


def stream_part(markers_key: str) -> str:
    """Return the prefix of the keys of the streams whose markers are in a partition."""
    tenant, _, rest = markers_key.partition(SEPARATOR)
    return f"{tenant}{rest.removeprefix(MARKERS)[:-1]}"
