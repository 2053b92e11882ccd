"""Options of every command: the tables and the connection, before and after the command."""

from __future__ import annotations

import json
import os

import pytest

from dynamo_es.cli.options import Place
from dynamo_es.dynamodb.wire import client as client_module
from dynamo_es.exceptions import TableNotFoundError
from tests.cli.conftest import TABLES

LOCAL = "http://127.0.0.1:1234"


@pytest.fixture
def configs(backend, monkeypatch):
    """The configurations of the clients that the commands make."""
    made = []

    def make_client(config):
        made.append(config)
        return backend.client

    monkeypatch.setattr(client_module, "make_client", make_client)
    return made


@pytest.fixture
def no_settings(monkeypatch, tmp_path):
    """An empty machine: no setting of the store, none of AWS."""
    for variable in os.environ:
        if variable.startswith(("AWS_", "DYNAMO_ES_")):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--endpoint-url", LOCAL, "log", "set-aside"],
        ["log", "--endpoint-url", LOCAL, "set-aside"],
        ["log", "set-aside", "--endpoint-url", LOCAL],
        ["--endpoint-url", "http://127.0.0.1:1", "log", "set-aside", "--endpoint-url", LOCAL],
    ],
)
def test_an_option_goes_before_or_after_the_command(run, configs, arguments):
    assert run(*arguments).status == 0
    assert [config.endpoint_url for config in configs] == [LOCAL]


def test_an_option_before_the_command_takes_precedence_over_the_environment(
    run, configs, monkeypatch
):
    monkeypatch.setenv("DYNAMO_ES_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("DYNAMO_ES_REGION", "eu-west-1")

    assert run("--endpoint-url", LOCAL, "--region", "eu-north-1", "streams").status == 0

    assert [(config.endpoint_url, config.region) for config in configs] == [(LOCAL, "eu-north-1")]


def test_region_and_profile_are_options(run, configs):
    assert run("streams", "--region", "eu-south-1", "--profile", "shop").status == 0
    assert [(config.region, config.profile) for config in configs] == [("eu-south-1", "shop")]


def test_the_options_of_the_store_reach_a_command_that_has_its_own(run, configs, monkeypatch):
    """The demo runs in this process unless it gets an endpoint, wherever that is given."""
    seen = []
    set_stage = "dynamo_es.cli.demonstration.stage.set_stage"
    monkeypatch.setattr(set_stage, lambda url, _: seen.append(url))
    with pytest.raises(TypeError):
        run("--endpoint-url", LOCAL, "demo", "--debug")
    assert seen == [LOCAL]


@pytest.mark.parametrize("arguments", [["--debug", "streams"], ["streams", "--debug"]])
def test_debug_goes_before_or_after_the_command(run, backend, arguments):
    with pytest.raises(TableNotFoundError):
        run(*arguments, "--log-table", "nowhere")


# An empty machine


def test_the_tables_have_default_names(run, backend, monkeypatch):
    for variable in TABLES:
        monkeypatch.delenv(variable)

    made = json.loads(run("create-tables", "--json").out)

    assert list(made.values()) == ["dynamo-es-events", "dynamo-es-log", "dynamo-es-keys"]
    assert set(made.values()) <= set(backend.client.list_tables()["TableNames"])


def test_what_stands_in_on_a_local_engine_is_said_once(run, configs, no_settings):
    ended = run("create-tables", "--endpoint-url", LOCAL, "--json")

    assert ended.status == 0
    assert ended.err == (
        f"Using the region us-east-1 and dummy credentials for the local engine at {LOCAL}, "
        "because none are configured.\n"
    )
    json.loads(ended.out)


def test_what_is_configured_is_not_mentioned(run, configs, no_settings, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    on = ["create-tables", "--endpoint-url", LOCAL]
    assert run(*on).err.startswith("Using the region us-east-1 for the local engine")
    assert run(*on, "--region", "eu-west-1").err == ""


def test_what_init_has_said_is_not_said_again(run, configs, no_settings, monkeypatch):
    assert "Using the region us-east-1 and dummy" in run("init", "--endpoint-url", LOCAL).err
    monkeypatch.setenv("DYNAMO_ES_ENDPOINT_URL", LOCAL)
    assert run("create-tables").err.startswith("Using the region us-east-1 and dummy credentials")
    monkeypatch.setenv("DYNAMO_ES_REGION", "us-east-1")
    assert run("create-tables").err == ""


def test_a_profile_that_does_not_exist_is_one_line(run, configs, no_settings):
    ended = run("streams", "--endpoint-url", LOCAL, "--profile", "nowhere")
    assert (ended.status, ended.out) == (1, "")
    assert "nowhere" in ended.err
    assert ended.err.endswith("the region (--region) and the policy of the role.\n")
    assert ended.err.count("\n") == 1


def test_an_engine_that_does_not_run_is_one_line(run, no_settings):
    ended = run("streams", "--endpoint-url", "http://127.0.0.1:1", "--region", "us-east-1")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.endswith(
        "Check the address (--endpoint-url), and that an engine is running there.\n"
    )


def test_a_wrong_setting_is_named_as_a_variable(run, backend, monkeypatch):
    monkeypatch.setenv("DYNAMO_ES_MAX_ATTEMPTS", "0")
    assert run("streams").err == (
        "dynamo-es: DYNAMO_ES_MAX_ATTEMPTS must be an integer of 1 or more, not 0.\n"
    )


def test_options_are_variables_for_other_programs():
    assert Place(endpoint_url=LOCAL, profile="shop").variables == {
        "DYNAMO_ES_ENDPOINT_URL": LOCAL,
        "DYNAMO_ES_PROFILE": "shop",
    }
