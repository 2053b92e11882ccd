"""The example application, from its HTTP interface to its read models."""

from __future__ import annotations

import json
import runpy
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "accounts"


@pytest.fixture(scope="module")
def call():
    """Send a request of a tenant to the application; return status and body."""
    path = list(sys.path)
    module = runpy.run_path(str(EXAMPLE / "local.py"))
    with module["serve"](0) as (_, server, listening):
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"

        def send(
            place: str, body: Any = None, tenant: str | None = "acme", **headers: str
        ) -> tuple[int, Any]:
            named = {key.replace("_", "-"): value for key, value in headers.items()}
            named |= {"content-type": "application/json"}
            named |= {} if tenant is None else {"x-tenant": tenant}
            data = None if body is None else json.dumps(body).encode()
            try:
                with urlopen(Request(address + place, data, named)) as reply:  # noqa: S310
                    return reply.status, json.load(reply)
            except HTTPError as error:
                return error.code, json.load(error)

        yield send
        server.should_exit = True
        thread.join()
    sys.path[:] = path


def until(call, place: str, wanted: Any, tenant: str = "acme") -> Any:
    """Ask until the read model has what was wanted: it follows a moment later."""
    end = time.monotonic() + 10
    while True:
        status, found = call(place, tenant=tenant)
        if status == 200 and wanted(found):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.05)


def test_commands_change_what_queries_see(call):
    assert call("/accounts/ann/open", {"owner": "Ann"}) == (202, {"balance": 0, "version": 1})
    assert call("/accounts/ann/deposit", {"amount": 500}) == (202, {"balance": 500, "version": 2})
    assert call("/accounts/ann/withdraw", {"amount": 120}) == (202, {"balance": 380, "version": 3})

    found = until(call, "/accounts/ann", lambda found: found["version"] == 3)

    etag = found.pop("etag")
    assert found == {"account": "ann", "owner": "Ann", "balance": 380, "version": 3}
    assert call("/accounts/ann/deposit", {"amount": 1}, if_match=etag)[0] == 202
    assert call("/accounts/ann/deposit", {"amount": 1}, if_match=etag)[0] == 412


def test_what_happened_is_seen_in_its_order_by_its_tenant_only(call):
    for tenant in ("one", "two"):
        call("/accounts/x/open", {"owner": tenant}, tenant)
        call("/accounts/y/open", {"owner": tenant}, tenant)
    call("/accounts/y/deposit", {"amount": 1}, "one")

    found = until(call, "/activity", lambda found: len(found) == 3, "one")

    assert [(one["account"], one["kind"], one["amount"]) for one in found] == [
        ("y", "deposited", 1),
        ("y", "opened", 0),
        ("x", "opened", 0),
    ]
    assert len(until(call, "/activity", lambda found: len(found) == 2, "two")) == 2


def test_an_account_of_another_tenant_is_not_there(call):
    call("/accounts/mine/open", {"owner": "Me"}, "acme")
    until(call, "/accounts/mine", lambda _: True)

    assert call("/accounts/mine", tenant="umbrella")[0] == 404


def test_commands_at_once_are_all_carried_out(call):
    call("/accounts/busy/open", {"owner": "B"})
    threads = [
        threading.Thread(target=call, args=("/accounts/busy/deposit", {"amount": 1}))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert until(call, "/accounts/busy", lambda found: found["version"] == 9)["balance"] == 8
