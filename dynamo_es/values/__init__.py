"""Values: stream ids, versionings, events, tags. They need only the standard library."""

from dynamo_es.values.queries import (
    Query,
    QueryItem,
    matches,
    matches_event,
    tags_of,
)
from dynamo_es.values.records import Position, RawEvent, RecordedRaw
from dynamo_es.values.stream_id import StreamId, StreamUUID
from dynamo_es.values.subject_key import SubjectKey
from dynamo_es.values.tags import Tag, TagValue
from dynamo_es.values.tenant import DEFAULT_TENANT, TenantId
from dynamo_es.values.versioning import (
    ANY_VERSION,
    NO_VERSIONING,
    ExplicitVersioning,
    StoredVersion,
    Versioning,
)

__all__ = [
    "ANY_VERSION",
    "DEFAULT_TENANT",
    "NO_VERSIONING",
    "ExplicitVersioning",
    "Position",
    "Query",
    "QueryItem",
    "RawEvent",
    "RecordedRaw",
    "StoredVersion",
    "StreamId",
    "StreamUUID",
    "SubjectKey",
    "Tag",
    "TagValue",
    "TenantId",
    "Versioning",
    "matches",
    "matches_event",
    "tags_of",
]
