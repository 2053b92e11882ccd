"""python-event-sourcery on DynamoDB.

::

    backend = DynamoDBBackend().configure(boto3.client("dynamodb"), DynamoDBConfig(...))
    backend.create_tables()

Needs the extra ``event-sourcery``. In this package, "their" means python-event-sourcery's, and
"our" means this library's.
"""

from dynamo_es.exceptions import MissingExtraError

try:
    import event_sourcery  # noqa: F401
except ImportError as error:
    raise MissingExtraError("event-sourcery", "python-event-sourcery on DynamoDB") from error

from dynamo_es.adapters.event_sourcery.backend import DynamoDBBackend
from dynamo_es.adapters.event_sourcery.config import DynamoDBConfig
from dynamo_es.adapters.event_sourcery.cursors import DynamoDBCursorsDao
from dynamo_es.adapters.event_sourcery.keys import DynamoDBKeyStorage

__all__ = ["DynamoDBBackend", "DynamoDBConfig", "DynamoDBCursorsDao", "DynamoDBKeyStorage"]
