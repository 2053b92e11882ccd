"""The outbox: publishes the events that its filter chose when they were appended."""

from dynamo_es.outbox.outbox import Outbox
from dynamo_es.outbox.publishing import Publisher, SeveralPublisher, StoredPublisher
from dynamo_es.outbox.run import OutboxReport

__all__ = ["Outbox", "OutboxReport", "Publisher", "SeveralPublisher", "StoredPublisher"]
