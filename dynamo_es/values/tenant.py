"""Tenants: the owners of streams."""

from typing import Final, TypeAlias

TenantId: TypeAlias = str
"""Id of a tenant, any text. Tenants never see each other's streams."""

DEFAULT_TENANT: Final[TenantId] = ""
"""The tenant of a storage until you choose another one."""
