"""The functions of the application, over a store and a read model: on AWS, and locally."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from accounts.domain import Account, RefusedError
from dynamo_es import Repository
from dynamo_es.aws_lambda import project_log, project_streams, sequence_events
from dynamo_es.exceptions import ConcurrentStreamWriteError

if TYPE_CHECKING:
    from collections.abc import Callable

    from accounts.read_model import ReadModel
    from dynamo_es import DynamoBackend, Recorded
    from dynamo_es.event_store.store import EventStore

Reply = dict[str, Any]


class Application:
    """Each attribute that ends in ``_handler`` is a Lambda function.

    Args:
        backend: the event store of all tenants, which the projections read.
        read_model: the table that the queries read.
        event_store_of: returns the event store of one tenant, which the commands write to.
    """

    def __init__(
        self,
        backend: DynamoBackend,
        read_model: ReadModel,
        event_store_of: Callable[[str], EventStore] | None = None,
    ) -> None:
        self._read_model = read_model
        self._event_store_of = event_store_of or (
            lambda tenant: backend.in_tenant(tenant).event_store
        )

        # Each account on its own: fast, and parallel over the shards of the table's stream.
        @project_streams(backend, "balances", category="account")
        def balances_handler(recorded: Recorded) -> None:
            read_model.apply(
                recorded.tenant_id,
                recorded.stream_id.name or "",
                recorded.wrapped_event.event,
                recorded.wrapped_event.version or 0,
            )

        # All accounts in one order: that of the log.
        @project_log(backend, "activity", category="account")
        def activity_handler(recorded: Recorded) -> None:
            read_model.note(recorded)

        self.balances_handler = balances_handler
        self.activity_handler = activity_handler
        self.sequencer_handler = sequence_events(backend)

    def command_handler(self, request: dict[str, Any], _context: object = None) -> Reply:
        """``POST /accounts/{account}/{open|deposit|withdraw}`` of an HTTP API."""
        tenant = _tenant(request)
        parameters = request["pathParameters"]
        try:
            body = json.loads(request.get("body") or "{}")
            command = _COMMANDS[parameters["command"]]
        except KeyError:
            return _reply(404, f"There is no command {parameters['command']!r}.")
        except ValueError:
            return _reply(400, "The body is no JSON.")
        repository = Repository(self._event_store_of(tenant), Account)
        try:
            # Decides again if another request was faster, so no caller has to try again.
            repository.transact(parameters["account"], lambda account: command(account, body))
        except RefusedError as refused:
            return _reply(409, str(refused))
        except (KeyError, TypeError, ValueError) as error:
            return _reply(400, f"The body does not fit this command: {error!r}.")
        except ConcurrentStreamWriteError:
            return _reply(503, "Too many requests for this account at once: try again.")
        return _reply(202, "Done.")

    def query_handler(self, request: dict[str, Any], _context: object = None) -> Reply:
        """``GET /accounts/{account}`` and ``GET /activity`` of an HTTP API."""
        tenant = _tenant(request)
        account = (request.get("pathParameters") or {}).get("account")
        if account is None:
            return _reply(200, self._read_model.activity(tenant))
        found = self._read_model.balance(tenant, account)
        return (
            _reply(404, f"No account {account!r} (yet).") if found is None else _reply(200, found)
        )


_COMMANDS: dict[str, Callable[[Account, dict[str, Any]], None]] = {
    "open": lambda account, body: account.open(body["owner"]),
    "deposit": lambda account, body: account.deposit(int(body["amount"])),
    "withdraw": lambda account, body: account.withdraw(int(body["amount"])),
}


def _tenant(request: dict[str, Any]) -> str:
    """Return the tenant of a request: a claim of its token, never a value of the caller."""
    claims = request["requestContext"]["authorizer"]["jwt"]["claims"]
    return str(claims["tenant"])


def _reply(status: int, body: object) -> Reply:
    text = json.dumps({"message": body} if isinstance(body, str) else body)
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": text,
    }
