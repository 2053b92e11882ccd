"""Makes the bodies of the library's requests as botocore does, in a fraction of the time.

botocore walks through the parameters value by value, with the model of the operation. The
parameters of the library's requests are already JSON, except for binary values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.serialize import JSONSerializer

from dynamo_es.dynamodb.wire.attempts.watching import attempts
from dynamo_es.dynamodb.wire.encoding.bodies import OPERATIONS, body_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_ORIGINAL: Final = JSONSerializer.serialize_to_request
_SERIALIZED: Final = frozenset(OPERATIONS.values())
_OF_PARAMETERS: Final = "host_prefix"


class Serializer:
    """Serializes the library's requests, and leaves requests of users to botocore's serializer.

    Args:
        theirs: botocore's serializer of the same client.
    """

    def __init__(self, theirs: JSONSerializer) -> None:
        self._theirs = theirs
        self._frames: dict[str, Mapping[str, Any]] = {}

    def serialize_to_request(
        self, parameters: Mapping[str, Any], operation_model: Any
    ) -> dict[str, Any]:
        """Return the dict from which botocore makes a request, with the body of the parameters."""
        name = operation_model.name
        frame = self._frames.get(name)
        if (
            frame is None
            or not attempts.sending
            or JSONSerializer.serialize_to_request is not _ORIGINAL
        ):
            made: dict[str, Any] = self._theirs.serialize_to_request(parameters, operation_model)
            if name in _SERIALIZED and _OF_PARAMETERS not in made:
                self._frames[name] = {**made, "headers": {**made["headers"]}}
            return made
        return {**frame, "headers": {**frame["headers"]}, "body": body_of(parameters)}


def serialize_own_requests(client: Any) -> None:
    """Make a `Serializer` serialize the library's requests on a client that the library made."""
    theirs = vars(client).get("_serializer")
    # botocore has no public access to the serializer.
    if type(theirs) is JSONSerializer:
        vars(client)["_serializer"] = Serializer(theirs)
