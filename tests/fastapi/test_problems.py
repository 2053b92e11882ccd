"""Errors of the event store, and wrong requests, as replies."""

from __future__ import annotations

import copy
import json
import logging
import pickle

import pytest
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

from dynamo_es import exceptions
from dynamo_es.exceptions import EventStoreError
from dynamo_es.fastapi import ProblemError, install_handlers
from tests.fastapi.client import TestClient

CONFLICT = exceptions.ConcurrentStreamWriteError("s", 3, 5)
SERVICE = ("PutItem", "Code", "secret of the table")
CASES = [
    (CONFLICT, 409, {"expected": 3, "actual": 5}),
    (exceptions.ConcurrentStreamWriteError("s", 3, None), 409, {"expected": 3, "actual": None}),
    (exceptions.EnlistedWriteRefusedError("s", 0, None), 409, {}),
    (exceptions.CommandDecidedError("s", "k", 1, ()), 422, {}),
    (exceptions.CommitTooLargeError("s", 9, 8, "Too large."), 413, {"limit": 8}),
    (exceptions.InvalidStreamIdError("A wrong id."), 422, {"detail": "A wrong id."}),
    (exceptions.InvalidEventError("s", "A wrong event."), 422, {}),
    (exceptions.InvalidSubjectError("A wrong subject."), 422, {}),
    (exceptions.InvalidRangeError("A wrong range."), 422, {}),
    (exceptions.InvalidPositionError(9, 8), 422, {}),
    (exceptions.AppendOutcomeUnknownError("s", 1, "Lost."), 503, {}),
    (exceptions.ThrottledError(*SERVICE), 503, {}),
    (exceptions.UnavailableError(*SERVICE), 503, {}),
    (exceptions.ContentionError(*SERVICE), 503, {}),
]
OF_THE_APPLICATION = [
    exceptions.InvalidVersioningError("No version."),
    exceptions.InvalidSubscriptionError("No subscription."),
    exceptions.CredentialsError(*SERVICE),
    exceptions.TableNotFoundError(*SERVICE),
    exceptions.ConfigurationError("No backend."),
    exceptions.StreamGapError("s", 3),
]


class Amount(BaseModel):
    cents: int


def client_raising(error: Exception) -> TestClient:
    app = FastAPI()
    install_handlers(app)

    @app.post("/")
    def fail() -> None:
        raise error

    @app.post("/amounts")
    def take(body: Amount) -> int:
        return body.cents

    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("error", "status", "members"), CASES, ids=[type(case[0]).__name__ for case in CASES]
)
def test_an_error_is_a_problem(error, status, members):
    reply = client_raising(error).post("/")

    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json() | members == reply.json()
    assert {"type", "title", "status", "detail"} <= set(reply.json())
    assert reply.json()["status"] == status
    assert "secret" not in reply.text
    assert reply.headers.get("retry-after") == ("1" if status == 503 else None)


@pytest.mark.parametrize("error", OF_THE_APPLICATION, ids=lambda error: type(error).__name__)
def test_an_error_of_the_application_is_not_blamed_on_the_caller(error):
    reply = client_raising(error).post("/")

    assert reply.status_code == 500
    assert str(error) not in reply.text


def test_a_conflict_of_a_request_with_a_condition_is_a_condition_that_does_not_hold():
    reply = client_raising(CONFLICT).post("/", headers={"if-match": '"7-3"'})

    assert reply.status_code == 412
    assert reply.json()["actual"] == 5


def test_what_fails_at_the_server_is_logged_as_a_warning(caplog):
    caplog.set_level(logging.INFO, "dynamo_es.fastapi")

    client_raising(exceptions.ThrottledError(*SERVICE)).post("/")
    client_raising(CONFLICT).post("/")

    assert [one.levelname for one in caplog.records] == ["WARNING", "INFO"]
    assert "ThrottledError" in caplog.text


WRONG_BODIES = [
    b'{"cents": 1e400}',
    b'{"cents": NaN}',
    b'{"cents": "\\ud800"}',
    b'{"\\ud800": 1}',
    b'{"cents": "\xff"}',
    b"\xff",
    b"",
    b"null",
    b"[" * 5000,
    b'{"cents": ' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("body", WRONG_BODIES, ids=lambda body: repr(body[:20]))
def test_a_wrong_request_is_refused_whatever_is_in_it(body):
    headers = {"content-type": "application/json"}

    reply = client_raising(CONFLICT).post("/amounts", content=body, headers=headers)

    assert 400 <= reply.status_code < 500
    json.loads(reply.content)


def test_a_wrong_request_is_told_where_and_not_what():
    reply = client_raising(CONFLICT).post("/amounts", json={"cents": "my secret"})

    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    (wrong,) = reply.json()["errors"]
    assert wrong["loc"] == ["body", "cents"]
    assert "secret" not in reply.text


def test_a_problem_is_an_error_of_the_library_that_survives_pickle_and_copy():
    problem = ProblemError(412, "No.", headers={"ETag": '"1"'}, actual=5)

    assert isinstance(problem, EventStoreError)
    pickled = pickle.loads(pickle.dumps(problem))  # noqa: S301 - pickled in this very line
    for again in (pickled, copy.copy(problem), copy.deepcopy(problem)):
        assert str(again) == "No."
        assert vars(again) == vars(problem)


def test_errors_of_fastapi_are_problems_too():
    client = client_raising(HTTPException(418, "No.", {"x-why": "tea"}))

    reply = client.post("/")
    assert reply.status_code == 418
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-why"] == "tea"
    assert reply.json()["detail"] == "No."
    assert client.get("/nowhere").json()["status"] == 404
    assert client.get("/").json()["status"] == 405


def test_an_error_of_fastapi_with_details_of_another_kind_stays():
    reply = client_raising(HTTPException(418, {"why": "tea"})).post("/")

    assert (reply.status_code, reply.json()) == (418, {"detail": {"why": "tea"}})


def test_a_status_without_a_name_is_a_problem_too():
    reply = client_raising(HTTPException(499, "No.")).post("/")

    assert (reply.status_code, reply.json()["status"], reply.json()["title"]) == (499, 499, "Error")


def test_an_error_without_a_body_stays():
    reply = client_raising(HTTPException(304)).post("/")

    assert (reply.status_code, reply.content) == (304, b"")
