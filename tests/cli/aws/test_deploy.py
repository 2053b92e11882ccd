"""`dynamo-es deploy` and `teardown`: what they check, what they send, and what they say.

The answers of CloudFormation are those of AWS, as a test of the whole on moto's shows too
(tests/infra/test_one_command.py).
"""

from __future__ import annotations

import json
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dynamo_es.cli.aws.account import Account
from dynamo_es.cli.aws.deploying import change_sets, parameters, stacks, template
from dynamo_es.cli.aws.deploying.change_sets import Change, ChangeSet
from dynamo_es.cli.aws.deploying.cloud import Cloud
from dynamo_es.cli.aws.deploying.preparing import Deployment, prepare
from dynamo_es.cli.aws.package_options import PackageOptions
from dynamo_es.cli.aws.packaging.building import MANIFEST, read
from dynamo_es.exceptions import ConfigurationError, DeploymentError

APP = template.load()
ACCOUNT = "123456789012"
STACK_ID = f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/my-app/1"
BUCKET = f"dynamo-es-{ACCOUNT}-eu-west-1"


class Client:
    """A client of boto3 that answers from a table, and notes requests.

    Each operation has one answer for every call, or a list of answers, of which the last stays.
    """

    def __init__(self, answers: dict[str, Any], sent: list[tuple[str, dict[str, Any]]]) -> None:
        self._answers = answers
        self._sent = sent
        self.meta = type("Meta", (), {"region_name": "eu-west-1", "endpoint_url": "https://s3.aws"})

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            self._sent.append((name, arguments))
            answer = self._answers.get(name, {})
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def error(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Any")


MISSING = error("ValidationError", "Stack with id my-app does not exist")
NO_TABLE = error("ResourceNotFoundException", "not found")
CHANGES = [
    {
        "ResourceChange": {
            "Action": "Add",
            "LogicalResourceId": "EventsTable",
            "ResourceType": "AWS::DynamoDB::Table",
        }
    }
]
NEW = {
    "describe_stacks": MISSING,
    "describe_table": NO_TABLE,
    "get_caller_identity": {"Account": ACCOUNT},
    "head_bucket": error("404"),
    "head_object": error("404"),
    "create_change_set": {"Id": "change-set", "StackId": STACK_ID},
    "describe_change_set": [
        {"Status": "CREATE_IN_PROGRESS"},
        {"Status": "CREATE_COMPLETE", "Changes": CHANGES},
    ],
}


def stack(status: str = "CREATE_COMPLETE", **known: str) -> dict[str, Any]:
    known = {"NamePrefix": "my-app", "Sequencer": "true", **known}
    return {
        "Stacks": [
            {
                "StackName": "my-app",
                "StackId": STACK_ID,
                "StackStatus": status,
                "Parameters": [
                    {"ParameterKey": key, "ParameterValue": value} for key, value in known.items()
                ],
                "Outputs": [
                    {"OutputKey": f"{kind}TableName", "OutputValue": f"my-app-{kind.lower()}"}
                    for kind in ("Events", "Log", "Keys")
                ],
            }
        ]
    }


class World:
    """An account, by its answers.

    Attributes:
        sent: names of operations, with their arguments.
    """

    def __init__(self, **answers: Any) -> None:
        self.sent: list[tuple[str, dict[str, Any]]] = []
        client = Client({**NEW, **answers}, self.sent)
        self.cloud = Cloud(
            is_emulator=False,
            cloudformation=client,
            s3=client,
            sts=client,
            dynamodb=client,
            sqs=client,
        )

    def all_of(self, operation: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.sent if name == operation]

    def prepare(self, package: Any, **wanted: Any) -> Any:
        deployment = Deployment(
            **{
                "stack": "my-app",
                "parameters": {},
                "variables": {},
                "package": package,
                "package_options": PackageOptions(),
                "bucket": None,
                "import_tables": False,
                **wanted,
            }
        )
        return prepare(self.cloud, deployment, lambda _: None, lambda _: None)


@pytest.fixture
def package(tmp_path):
    """A package for python3.13 on arm64."""
    path = tmp_path / "package.zip"
    said = {
        "release": "1.2.3",
        "runtime": "python3.13",
        "architecture": "arm64",
        "extras": [],
        "compiled": True,
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MANIFEST, json.dumps(said))
    return path


def given(request: dict[str, Any]) -> dict[str, Any]:
    return {
        each["ParameterKey"]: each.get("ParameterValue", "as before")
        for each in request["Parameters"]
    }


# Preparing


def test_a_new_stack_is_a_change_set_with_the_package_under_a_key_of_release_and_content(package):
    world = World()

    prepared = world.prepare(package)

    (request,) = world.all_of("create_change_set")
    assert request["ChangeSetType"] == "CREATE"
    assert request["Capabilities"] == ["CAPABILITY_IAM"]
    assert request["TemplateURL"].startswith(f"https://s3.aws/{BUCKET}/my-app/app-")
    assert "ImportExistingResources" not in request
    digest = read(package).digest
    assert given(request) == {
        "NamePrefix": "my-app",
        "CodeBucket": BUCKET,
        "CodeKey": f"my-app/dynamo_es-1.2.3-py3.13-arm64-{digest}.zip",
        "Runtime": "python3.13",
        "Architecture": "arm64",
    }
    assert prepared.change_set.changes == (
        Change("Add", "EventsTable", "AWS::DynamoDB::Table", "False"),
    )
    assert [place["Key"] for place in world.all_of("put_object")] == [
        given(request)["CodeKey"],
        request["TemplateURL"].partition(f"{BUCKET}/")[2],
    ]


def test_the_bucket_is_created_without_public_access_and_only_that_of_the_account_is_used(package):
    world = World()

    world.prepare(package)

    assert world.all_of("create_bucket") == [
        {
            "Bucket": BUCKET,
            "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"},
        }
    ]
    (closed,) = world.all_of("put_public_access_block")
    assert set(closed["PublicAccessBlockConfiguration"].values()) == {True}
    for put in world.all_of("put_object"):
        assert put["ExpectedBucketOwner"] == ACCOUNT


def test_what_is_uploaded_already_is_not_uploaded_again(package):
    world = World(head_bucket={}, head_object={})

    world.prepare(package)

    assert world.all_of("create_bucket") == world.all_of("put_object") == []


def test_your_bucket_that_is_missing_or_of_another_account_is_an_error(package):
    with pytest.raises(DeploymentError, match="no bucket 'mine'"):
        World().prepare(package, bucket="mine")
    with pytest.raises(DeploymentError, match="another account"):
        World(head_bucket=error("403")).prepare(package, bucket="mine")


def test_a_later_deployment_changes_what_is_given_and_keeps_the_rest(package):
    world = World(
        describe_stacks=stack(LogLevel="ERROR", CodeKey="old"), get_template={"TemplateBody": {}}
    )

    world.prepare(package, parameters={"LogRetentionDays": "7"})

    (request,) = world.all_of("create_change_set")
    assert request["ChangeSetType"] == "UPDATE"
    after = given(request)
    assert after["NamePrefix"] == after["LogLevel"] == "as before"
    assert after["LogRetentionDays"] == "7"
    assert after["CodeKey"].startswith("my-app/dynamo_es-1.2.3-")


def test_variables_of_an_earlier_deployment_stay_until_they_are_removed(package):
    before = template.with_variables(template.load(), {"STAGE": "test", "OLD": "1"})
    world = World(describe_stacks=stack(), get_template={"TemplateBody": before})

    world.prepare(package, variables={"OLD": "", "NEW": "2"})

    (_, put) = world.all_of("put_object")
    sent = json.loads(put["Body"])
    for name in ("SequencerFunction", "OutboxFunction", "ReadModelFunction"):
        variables = sent["Resources"][name]["Properties"]["Environment"]["Variables"]
        assert {"STAGE": "test", "NEW": "2"}.items() <= variables.items()
        assert "OLD" not in variables


def test_a_variable_that_the_template_sets_is_refused():
    with pytest.raises(ConfigurationError, match="sets DYNAMO_ES_EVENTS_TABLE itself"):
        template.with_variables(template.load(), {"DYNAMO_ES_EVENTS_TABLE": "x"})


def test_tables_only_need_no_package():
    world = World()

    world.prepare(None, parameters={"Sequencer": "false"})

    assert "CodeKey" not in given(world.all_of("create_change_set")[0])


def test_a_package_for_another_runtime_is_refused_before_anything_is_deployed(package):
    world = World()

    with pytest.raises(ConfigurationError, match=r"built for python3\.13, but Runtime is python3"):
        world.prepare(package, parameters={"Runtime": "python3.11"})

    assert world.all_of("create_change_set") == []


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("Sequenzer=true", "no parameter 'Sequenzer'"),
        ("Sequencer=yes", r"must be one of true, false, not 'yes'"),
        ("SequencerMemorySize=64", "must be 128 or more, not '64'"),
        ("SequencerMemorySize=2GB", "must be a whole number"),
        ("SequencerTimeout=1000", "must be 900 or less"),
        ("AlarmTopicArn=mine", "must be text like"),
        ("KmsKeyArn=alias/x", "an alias does not work"),
    ],
)
def test_a_parameter_that_cloudformation_would_refuse_is_refused_before_anything_is_sent(
    package, pair, message
):
    world = World()

    with pytest.raises(ConfigurationError, match=message):
        world.prepare(package, parameters=parameters.parse([pair]))

    assert world.sent == []


@pytest.mark.parametrize("pair", ["Sequencer", "=true"])
def test_a_parameter_is_a_name_and_a_value(pair):
    with pytest.raises(ConfigurationError, match="must be NAME=VALUE"):
        parameters.parse([pair])
    with pytest.raises(ConfigurationError, match="gives A twice"):
        parameters.parse(["A=1", "A=2"])


def test_tables_that_exist_are_taken_only_if_you_say_so(package):
    with pytest.raises(DeploymentError, match=r"my-app-events already exists.*--import-tables"):
        World(describe_table={}).prepare(package)
    world = World(describe_table={})

    world.prepare(package, import_tables=True)

    assert world.all_of("create_change_set")[0]["ImportExistingResources"] is True


def test_another_prefix_would_leave_the_events_and_is_refused(package):
    world = World(describe_stacks=stack(), get_template={"TemplateBody": {}})

    with pytest.raises(DeploymentError, match="begin with 'my-app'"):
        world.prepare(package, parameters={"NamePrefix": "other"})


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("UPDATE_IN_PROGRESS", "wait until CloudFormation has finished"),
        ("ROLLBACK_COMPLETE", "dynamo-es teardown --stack my-app"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
    ],
)
def test_a_stack_that_cannot_be_changed_is_refused(package, status, message):
    with pytest.raises(DeploymentError, match=message):
        World(describe_stacks=stack(status)).prepare(package)


# Change sets


def test_no_change_is_no_error_and_leaves_no_change_set(package):
    failed = {
        "Status": "FAILED",
        "StatusReason": "The submitted information didn't contain changes.",
    }
    world = World(
        describe_stacks=stack(), get_template={"TemplateBody": {}}, describe_change_set=failed
    )

    assert world.prepare(package).change_set.is_empty
    assert world.all_of("delete_change_set") == [
        {"ChangeSetName": "change-set", "StackName": STACK_ID}
    ]


def test_a_change_set_that_fails_says_why_and_leaves_no_empty_stack(package):
    world = World(describe_change_set={"Status": "FAILED", "StatusReason": "CodeBucket is wrong"})

    with pytest.raises(DeploymentError, match="CodeBucket is wrong"):
        world.prepare(package)

    assert world.all_of("delete_stack") == [{"StackName": STACK_ID}]


def test_all_pages_of_changes_are_read(package):
    pages = [
        {"Status": "CREATE_COMPLETE", "Changes": CHANGES, "NextToken": "more"},
        {"Status": "CREATE_COMPLETE", "Changes": CHANGES},
    ]
    world = World(describe_change_set=pages)

    assert len(world.prepare(package).change_set.changes) == 2


@pytest.mark.parametrize(
    ("action", "replaced", "lost"),
    [
        ("Add", "False", False),
        ("Modify", "False", False),
        ("Modify", "Conditional", False),
        ("Modify", "True", True),
        ("Remove", "False", True),
    ],
)
def test_changes_that_would_lose_a_table_are_refused(action, replaced, lost):
    change = Change(action, "EventsTable", "AWS::DynamoDB::Table", replaced)
    change_set = ChangeSet("id", STACK_ID, creates=False, changes=(change,))

    if lost:
        with pytest.raises(DeploymentError, match="EventsTable"):
            change_sets.check_tables_stay(change_set)
    else:
        change_sets.check_tables_stay(change_set)


# Waiting


def event(number: int, status: str, resource: str = "my-app", reason: str = "") -> dict[str, Any]:
    return {
        "EventId": str(number),
        "LogicalResourceId": resource,
        "PhysicalResourceId": STACK_ID if resource == "my-app" else resource,
        "ResourceType": "AWS::Lambda::Function",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def test_it_waits_for_the_end_and_tells_each_event_once():
    first = event(1, "UPDATE_IN_PROGRESS")
    second = event(2, "UPDATE_COMPLETE", "SequencerFunction")
    third = event(3, "UPDATE_COMPLETE")
    old = event(0, "CREATE_COMPLETE")
    world = World(
        describe_stacks=[
            stack(),  # for a moment, the state is that of before
            stack("UPDATE_IN_PROGRESS"),
            stack("UPDATE_COMPLETE"),
        ],
        describe_stack_events=[
            {"StackEvents": [old]},
            {"StackEvents": [second, first, old]},
            {"StackEvents": [third, second, first, old]},
        ],
    )
    told: list[str] = []
    slept: list[float] = []

    after = stacks.watch(
        world.cloud, STACK_ID, {"0"}, lambda each: told.append(each["EventId"]), slept.append
    )

    assert told == ["1", "2", "3"]
    assert len(slept) == 2
    assert after.is_good


def test_a_failure_names_the_resource_and_the_reason_and_not_what_followed():
    world = World(
        describe_stack_events={
            "StackEvents": [
                event(3, "CREATE_FAILED", "OutboxRole", "Resource creation cancelled"),
                event(2, "CREATE_FAILED", "SequencerFunction", "S3 Error Code: NoSuchKey."),
                event(1, "CREATE_FAILED", "Old", "of an earlier deployment"),
            ]
        }
    )
    failed = stacks.Stack("my-app", STACK_ID, "ROLLBACK_COMPLETE")

    with pytest.raises(DeploymentError) as raised:
        stacks.raise_failure(world.cloud, failed, {"1"}, "deployed")

    text = str(raised.value)
    assert "SequencerFunction (AWS::Lambda::Function): S3 Error Code: NoSuchKey." in text
    assert "dynamo-es teardown --stack my-app" in text
    assert "OutboxRole" not in text
    assert "Old" not in text


# The commands


def test_a_package_and_what_to_build_contradict_each_other(run, package):
    ended = run("deploy", "--stack", "s", "--package", package, "--extra", "encryption")

    assert ended.status == 1
    assert "not both" in ended.err


def test_to_delete_tables_you_repeat_the_name_of_the_stack(run):
    ended = run("teardown", "--stack", "my-app", "--delete-tables", "my", "--yes")

    assert ended.status == 1
    assert "must repeat the name of the stack, 'my-app', not 'my'" in ended.err


@pytest.fixture
def deployed(monkeypatch):
    """An account with the stack, whose failure queue holds two records."""
    world = World(
        describe_stacks=[stack(), stack("DELETE_COMPLETE")],
        list_stack_resources={
            "StackResourceSummaries": [
                summary("EventsTable", "AWS::DynamoDB::Table", "my-app-events"),
                summary("SequencerFunction", "AWS::Lambda::Function", "f"),
                summary("SequencerFailureQueue", "AWS::SQS::Queue", "https://sqs/q"),
            ]
        },
        get_template={"TemplateBody": APP},
        get_queue_attributes={"Attributes": {"ApproximateNumberOfMessages": "2"}},
        describe_stack_events={"StackEvents": []},
    )
    monkeypatch.setattr(Account, "connect", lambda _: world.cloud)
    return world


def summary(resource: str, kind: str, physical: str) -> dict[str, str]:
    return {
        "LogicalResourceId": resource,
        "ResourceType": kind,
        "PhysicalResourceId": physical,
    }


def test_a_teardown_says_what_is_lost_and_asks_and_deletes_nothing_without_an_answer(run, deployed):
    ended = run("teardown", "--stack", "my-app")

    asked = " ".join(ended.err.split())
    assert ended.status == 1
    assert "Delete the stack my-app, with 2 resources? The tables stay: my-app-events." in asked
    assert "SequencerFailureQueue has 2 failure records, which would be lost." in asked
    assert deployed.all_of("delete_stack") == []


def test_a_teardown_keeps_the_tables(run, deployed):
    ended = run("teardown", "--stack", "my-app", "--yes")

    assert ended.status == 0
    assert ended.out == "Deleted the stack my-app.\nmy-app-events stays.\n"
    assert deployed.all_of("delete_stack") == [{"StackName": "my-app"}]
    assert deployed.all_of("delete_table") == []


def test_a_teardown_with_tables_says_that_a_last_backup_stays(run, deployed, monkeypatch):
    deleted: list[Any] = []
    monkeypatch.setattr(
        "dynamo_es.cli.aws.teardown.delete_tables", lambda _, config: deleted.append(config.tables)
    )

    ended = run("teardown", "--stack", "my-app", "--delete-tables", "my-app", "--yes")

    assert ended.status == 0
    assert deleted == [("my-app-events", "my-app-log", "my-app-keys")]
    assert ended.out.splitlines()[-2] == "Deleted my-app-keys."
    assert "DynamoDB keeps a last backup" in ended.out.splitlines()[-1]
    assert "for 35 days" in ended.out.splitlines()[-1]


def test_a_teardown_that_fails_says_why(run, deployed, monkeypatch):
    failed = event(9, "DELETE_FAILED", "Writers", "Cannot delete a policy attached to entities.")
    last = event(10, "DELETE_FAILED")
    world = World(
        describe_stacks=[stack(), stack("DELETE_FAILED")],
        list_stack_resources={"StackResourceSummaries": []},
        get_template={"TemplateBody": APP},
        describe_stack_events=[{"StackEvents": []}, {"StackEvents": [last, failed]}],
    )
    monkeypatch.setattr(Account, "connect", lambda _: world.cloud)

    ended = run("teardown", "--stack", "my-app", "--yes")

    assert ended.status == 1
    assert "Writers (AWS::Lambda::Function): Cannot delete a policy" in ended.err


def test_a_stack_that_is_not_there_cannot_be_deleted(run, monkeypatch):
    monkeypatch.setattr(Account, "connect", lambda _: World().cloud)

    ended = run("teardown", "--stack", "my-app", "--yes")

    assert ended.status == 1
    assert "There is no stack 'my-app' in eu-west-1." in ended.err


def test_a_deployment_that_is_refused_leaves_no_change_set(run, package, monkeypatch):
    world = World()
    monkeypatch.setattr(Account, "connect", lambda _: world.cloud)
    monkeypatch.setattr("time.sleep", lambda _: None)

    ended = run("deploy", "--stack", "my-app", "--package", package)

    assert ended.status == 1
    assert ended.out == "Add\tEventsTable\tAWS::DynamoDB::Table\t\n"
    assert "Nothing was changed." in ended.err
    assert world.all_of("execute_change_set") == []
    assert world.all_of("delete_stack") == [{"StackName": STACK_ID}]
