"""Translates the template's tables to DynamoDB's API, and compares them with existing tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dynamo_es.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Properties that CreateTable takes unchanged. Others have another shape or their own operation.
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
        name: name of the table; the template's own name is not used.
        properties: as `resolve_tables` returns them.
    """
    request = {key: properties[key] for key in _SAME_IN_BOTH if key in properties}
    request["TableName"] = name
    if stream := properties.get("StreamSpecification"):
        request["StreamSpecification"] = {"StreamEnabled": True, **stream}
    encryption = properties.get("SSESpecification", {})
    # Leave it out unless it is on. Off is DynamoDB's default, and an emulator would misread it as a
    # request for a key.
    if encryption.get("SSEEnabled"):
        request["SSESpecification"] = {
            "Enabled": True,
            **{key: value for key, value in encryption.items() if key != "SSEEnabled"},
        }
    return request


def check_key(name: str, properties: Mapping[str, Any], description: Mapping[str, Any]) -> None:
    """Check that an existing table has the key that the template defines.

    Args:
        name: name of the table.
        properties: as `resolve_tables` returns them.
        description: as DescribeTable returns it.

    Raises:
        ConfigurationError: the table has another key.
    """
    wanted, found = _key(properties), _key(description)
    if found != wanted:
        raise ConfigurationError(
            f"The table {name} exists, but its key is {found} instead of {wanted}. "
            "It may belong to another application: choose another name."
        )


def _key(table: Mapping[str, Any]) -> str:
    kinds = {
        entry["AttributeName"]: entry["AttributeType"] for entry in table["AttributeDefinitions"]
    }
    return ", ".join(
        f"{entry['AttributeName']} ({entry['KeyType']}, {kinds[entry['AttributeName']]})"
        for entry in table["KeySchema"]
    )
