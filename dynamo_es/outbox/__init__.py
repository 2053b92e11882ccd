"""The outbox: events chosen when they were appended, published from the log, each until it is."""

from dynamo_es.outbox.outbox import Outbox
from dynamo_es.outbox.run import OutboxReport, Publisher, StoredPublisher

__all__ = ["Outbox", "OutboxReport", "Publisher", "StoredPublisher"]
