"""Whose stream: the tenant."""

from typing import Final, TypeAlias

TenantId: TypeAlias = str
"""Any text; tenants never see each other's streams."""

DEFAULT_TENANT: Final[TenantId] = ""
"""The tenant of a storage that was not scoped."""
