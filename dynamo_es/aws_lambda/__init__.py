"""Handlers for AWS Lambda: read models, the sequencer, the outbox, the tag index.

=====================  ===========================  ==========================================
handler                event source                 what it does
=====================  ===========================  ==========================================
`project_streams`      the events table's stream    applies the events of each stream, in order
`project_log`          the log table's stream, or   applies all events in the order of the log
                       a schedule
`fan_out`              the same as its handlers     gives each batch to several read models
`sequence_events`      the events table's stream    gives every commit its position in the log
`publish_outbox`       the log table's stream and   publishes the events chosen for the outbox
                       a schedule
`index_tags`           a schedule                   writes the tag index of boundaries
=====================  ===========================  ==========================================

Event source mappings need ``ReportBatchItemFailures`` and the view type ``NEW_IMAGE``. Each
handler replies before the function times out, and names the records left for the next call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo_es.aws_lambda.fan_out_handler import fan_out
    from dynamo_es.aws_lambda.log_read_models import project_log
    from dynamo_es.aws_lambda.messages import load_message
    from dynamo_es.aws_lambda.outbox import publish_outbox
    from dynamo_es.aws_lambda.publishers import EventBridgePublisher, SnsPublisher, SqsPublisher
    from dynamo_es.aws_lambda.sequencer import sequence_events
    from dynamo_es.aws_lambda.stream_read_models import project_streams
    from dynamo_es.aws_lambda.tags import index_tags
else:
    from dynamo_es.lazy import lazy_names

    # Each handler is a function of its own: its cold start loads only what it needs.
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "EventBridgePublisher": ".publishers",
            "SnsPublisher": ".publishers",
            "SqsPublisher": ".publishers",
            "fan_out": ".fan_out_handler",
            "index_tags": ".tags",
            "load_message": ".messages",
            "project_log": ".log_read_models",
            "project_streams": ".stream_read_models",
            "publish_outbox": ".outbox",
            "sequence_events": ".sequencer",
        },
    )

__all__ = [
    "EventBridgePublisher",
    "SnsPublisher",
    "SqsPublisher",
    "fan_out",
    "index_tags",
    "load_message",
    "project_log",
    "project_streams",
    "publish_outbox",
    "sequence_events",
]
