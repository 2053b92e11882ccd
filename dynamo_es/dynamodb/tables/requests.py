"""Between the template's properties and DynamoDB's API: what to create, what to compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dynamo_es.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Passed to CreateTable as they are; the others have another shape or an operation of their own.
_SAME_IN_BOTH: Final = (
    "BillingMode",
    "AttributeDefinitions",
    "KeySchema",
    "DeletionProtectionEnabled",
    "Tags",
)


def create_request(name: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of CreateTable for a table of the template.

    Args:
        name: of the table; the template's own is left aside.
        properties: as `resolve_tables` returns them.
    """
    request = {key: properties[key] for key in _SAME_IN_BOTH if key in properties}
    request["TableName"] = name
    if stream := properties.get("StreamSpecification"):
        request["StreamSpecification"] = {"StreamEnabled": True, **stream}
    encryption = properties.get("SSESpecification", {})
    # Left out unless on: off is what DynamoDB does by itself, and an emulator would see a wish
    # for a key in it.
    if encryption.get("SSEEnabled"):
        request["SSESpecification"] = {
            "Enabled": True,
            **{key: value for key, value in encryption.items() if key != "SSEEnabled"},
        }
    return request


def check_key(name: str, properties: Mapping[str, Any], description: Mapping[str, Any]) -> None:
    """Raise `ConfigurationError` unless an existing table has the key of the template's.

    Args:
        name: of the table.
        properties: as `resolve_tables` returns them.
        description: as DescribeTable returns it.
    """
    wanted, found = _key(properties), _key(description)
    if found != wanted:
        raise ConfigurationError(
            f"The table {name} exists, but its key is {found} instead of {wanted}. "
            "Is it another application's? Name a table of the event store's own."
        )


def _key(table: Mapping[str, Any]) -> str:
    kinds = {
        entry["AttributeName"]: entry["AttributeType"] for entry in table["AttributeDefinitions"]
    }
    return ", ".join(
        f"{entry['AttributeName']} ({entry['KeyType']}, {kinds[entry['AttributeName']]})"
        for entry in table["KeySchema"]
    )
