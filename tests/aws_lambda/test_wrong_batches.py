"""Events that are not batches or records are refused with an error of this library."""

import copy

import pytest

from dynamo_es.aws_lambda import project_log, project_streams, publish_outbox, sequence_events
from dynamo_es.exceptions import EventStoreError

KEYS = {"stream_key": {"S": "a#b#c"}, "version": {"N": "1"}}
PAGE = {"log_key": {"S": "log"}, "place": {"S": "1"}}

WRONG = {
    "no record": None,
    "number": 5,
    "list": [],
    "empty": {},
    "topic without a message": {"Sns": None},
    "topic of text": {"Sns": "text"},
    "topic of a list": {"Sns": []},
    "queue without a body": {"body": None},
    "queue of bytes": {"body": b"bytes"},
    "queue of a notification": {"body": '{"Type": "Notification"}'},
    "failure of nothing": {"body": '{"DDBStreamBatchInfo": null}'},
    "failure of a list": {"body": '{"DDBStreamBatchInfo": []}'},
    "failure with a payload of nothing": {"body": '{"requestPayload": null}'},
    "failure with a payload of text": {"body": '{"DDBStreamBatchInfo": {}, "payload": "x"}'},
    "no change": {"dynamodb": None},
    "change of a list": {"dynamodb": []},
    "without a number": {"dynamodb": {"NewImage": KEYS}},
    "number that is none": {"dynamodb": {"SequenceNumber": "x", "NewImage": KEYS}},
    "number of an object": {"dynamodb": {"SequenceNumber": {}, "NewImage": KEYS}},
    "image of a list": {"dynamodb": {"SequenceNumber": "1", "NewImage": []}},
    "image of a longer list": {"dynamodb": {"SequenceNumber": "1", "NewImage": [1]}},
    "image of text": {"dynamodb": {"SequenceNumber": "1", "NewImage": "text"}},
    "image of lists": {"dynamodb": {"SequenceNumber": "1", "NewImage": {"version": []}}},
    "image of nothing": {"dynamodb": {"SequenceNumber": "1", "NewImage": {"version": None}}},
    "image of bad bytes": {
        "dynamodb": {"SequenceNumber": "1", "NewImage": {**KEYS, "events": {"B": "é"}}}
    },
    "image of empty attributes": {
        "dynamodb": {"SequenceNumber": "1", "NewImage": {"stream_key": {}, "version": {}}}
    },
    "keys of a list": {"dynamodb": {"SequenceNumber": "1", "Keys": [1]}},
    "page without a place": {
        "dynamodb": {"SequenceNumber": "1", "NewImage": {"log_key": {"S": "log"}}}
    },
    "page at a wrong place": {
        "dynamodb": {"SequenceNumber": "1", "NewImage": {**PAGE, "place": {"S": "x"}}}
    },
    "page with a wrong count": {
        "dynamodb": {"SequenceNumber": "1", "NewImage": {**PAGE, "count": {"N": "x"}}}
    },
    "page with a count of nothing": {
        "dynamodb": {"SequenceNumber": "1", "NewImage": {**PAGE, "count": None}}
    },
}


def handlers(backend):
    """Return every kind of handler."""
    return [
        project_streams(backend, "model", keep_unknown=True)(lambda _: None),
        project_log(backend, "log", keep_unknown=True)(lambda _: None),
        sequence_events(backend),
        publish_outbox(backend, lambda _: None),
    ]


@pytest.mark.parametrize("name", WRONG)
def test_record_that_is_none_is_an_error_of_the_tree(backend, name):
    record = WRONG[name]
    for handler in handlers(backend):
        for batch in (
            {"Records": [record]},
            [record],
            {"Records": record},
            {"requestPayload": {"Records": [record]}},
        ):
            try:
                handler(copy.deepcopy(batch))
            except EventStoreError:
                continue
