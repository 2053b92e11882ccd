"""The Lambda functions on AWS: handlers such as ``accounts.functions.command``.

All that the first request needs is made while this module is imported: Lambda then gives the
function a whole CPU, and does not count that time towards its time-out.
"""

from __future__ import annotations

import os

from accounts.application import Application
from accounts.domain import Account
from accounts.read_model import ReadModel
from dynamo_es import DynamoBackend, Repository

_backend = DynamoBackend.from_env()
_backend.prepare()
Repository(_backend.event_store, Account)  # loads what encodes and decodes events
_application = Application(_backend, ReadModel(_backend.client, os.environ["READ_MODEL_TABLE"]))

command = _application.command_handler
query = _application.query_handler
balances = _application.balances_handler
activity = _application.activity_handler
