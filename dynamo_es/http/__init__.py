"""The event store over HTTP, for any framework: entity tags, preconditions, and errors as replies.

`dynamo_es.fastapi` uses it. A Lambda function of an HTTP API uses it like this::

    def handler(request, _context):
        try:
            accounts = Aggregates.of_request(Repository(store, Account), request["headers"])
            saved = accounts.transact("ann", lambda account: account.deposit(5))
        except HANDLED as error:
            problem = problem_of(error, conditional="if-match" in request["headers"])
            return {
                "statusCode": problem.status, "headers": problem.headers, "body": problem.body()
            }
        body = json.dumps({"version": saved.version})
        return {"statusCode": 200, "headers": accounts.headers, "body": body}
"""

from typing import TYPE_CHECKING

from dynamo_es.http.aggregates import Aggregates, Saved, idempotency_key_of
from dynamo_es.http.preconditions import EntityTags, Preconditions, etag_of
from dynamo_es.http.problems import HANDLED, ProblemError, problem_of

if TYPE_CHECKING:
    from dynamo_es.http.async_aggregates import AsyncAggregates
else:
    from dynamo_es.lazy import lazy_names

    __getattr__, __dir__ = lazy_names(__name__, {"AsyncAggregates": ".async_aggregates"})

__all__ = [
    "HANDLED",
    "Aggregates",
    "AsyncAggregates",
    "EntityTags",
    "Preconditions",
    "ProblemError",
    "Saved",
    "etag_of",
    "idempotency_key_of",
    "problem_of",
]
