"""Change sets: the changes that a deployment would make, before it makes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.cli.aws.deploying.cloud import ask
from dynamo_es.cli.aws.deploying.stacks import ONLY_REVIEWED
from dynamo_es.exceptions import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamo_es.cli.aws.deploying.cloud import Cloud
    from dynamo_es.cli.aws.deploying.stacks import Stack

TABLE: Final = "AWS::DynamoDB::Table"
_SECONDS: Final = 2.0
_LOOKS: Final = 150
_READY: Final = "CREATE_COMPLETE"
_FAILED: Final = "FAILED"
_NO_CHANGES: Final = ("didn't contain changes", "No updates are to be performed")
_LOSES_A_TABLE: Final = frozenset({"Remove", "Dynamic"})


@dataclass(frozen=True, slots=True)
class Change:
    """The change of one resource.

    Attributes:
        action: ``Add``, ``Modify``, ``Remove``, ``Import`` or ``Dynamic``.
        resource: its logical id.
        kind: its type, such as ``AWS::Lambda::Function``.
        replaced: ``True`` if it is replaced, ``Conditional`` if it may be.
    """

    action: str
    resource: str
    kind: str
    replaced: str

    @property
    def loses_a_table(self) -> bool:
        """Whether the stack would lose this table, or replace it by another."""
        return self.kind == TABLE and (self.action in _LOSES_A_TABLE or self.replaced == "True")


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A change set that can be executed.

    Attributes:
        id: its ARN.
        stack_id: ARN of the stack.
        creates: whether the stack is new.
        changes: the changes of resources, in CloudFormation's order.
        is_empty: whether there are no changes; then the change set no longer exists.
    """

    id: str
    stack_id: str
    creates: bool
    changes: tuple[Change, ...]
    is_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The request for a change set.

    Attributes:
        stack: name of the stack.
        name: name of the change set.
        template_url: address from which CloudFormation reads the template.
        parameters: the parameters, as CreateChangeSet takes them.
        import_tables: whether existing tables become part of the stack.
        capabilities: the capabilities that CloudFormation asks you to confirm.
    """

    stack: str
    name: str
    template_url: str
    parameters: list[dict[str, Any]]
    import_tables: bool = False
    capabilities: tuple[str, ...] = ("CAPABILITY_IAM",)


def create(
    cloud: Cloud, request: Request, stack: Stack | None, sleep: Callable[[float], None]
) -> ChangeSet:
    """Create a change set and wait until CloudFormation has computed it.

    Args:
        cloud: the clients.
        request: the request for it.
        stack: the current stack; None: it does not exist.
        sleep: waits the given number of seconds.

    Raises:
        DeploymentError: CloudFormation cannot compute it.
    """
    creates = stack is None or stack.status == ONLY_REVIEWED
    options = {"ImportExistingResources": True} if request.import_tables else {}
    made = ask(
        cloud.cloudformation,
        "CreateChangeSet",
        request.stack,
        StackName=request.stack,
        ChangeSetName=request.name,
        ChangeSetType="CREATE" if creates else "UPDATE",
        TemplateURL=request.template_url,
        Parameters=request.parameters,
        Capabilities=list(request.capabilities),
        Tags=[{"Key": "application", "Value": "dynamo_es"}],
        **options,
    )
    for _ in range(_LOOKS):
        pages = list(_pages(cloud, made["Id"], request.stack))
        last = pages[-1]
        if last["Status"] == _READY:
            changes = [_change(each) for page in pages for each in page.get("Changes", ())]
            return ChangeSet(made["Id"], made["StackId"], creates, tuple(changes))
        if last["Status"] == _FAILED:
            nothing = ChangeSet(made["Id"], made["StackId"], creates, (), is_empty=True)
            discard(cloud, nothing)
            _check_empty(last.get("StatusReason", "it gave no reason."))
            return nothing
        sleep(_SECONDS)
    raise DeploymentError(
        f"CloudFormation did not compute the change set {request.name} within "
        f"{_LOOKS * _SECONDS:.0f} seconds. Run the command again."
    )


def _check_empty(reason: str) -> None:
    if not any(text in reason for text in _NO_CHANGES):
        raise DeploymentError(f"CloudFormation cannot compute the changes: {reason}")


def discard(cloud: Cloud, change_set: ChangeSet) -> None:
    """Delete a change set without executing it, and the empty stack that was created for it."""
    if change_set.creates:
        ask(cloud.cloudformation, "DeleteStack", StackName=change_set.stack_id)
        return
    ask(
        cloud.cloudformation,
        "DeleteChangeSet",
        ChangeSetName=change_set.id,
        StackName=change_set.stack_id,
    )


def execute(cloud: Cloud, change_set: ChangeSet) -> None:
    """Start to carry out the changes."""
    ask(
        cloud.cloudformation,
        "ExecuteChangeSet",
        ChangeSetName=change_set.id,
        StackName=change_set.stack_id,
    )


def check_tables_stay(change_set: ChangeSet) -> None:
    """Check that the stack loses no table, because programs would continue with empty ones.

    Raises:
        DeploymentError: a table would be replaced or removed.
    """
    lost = [change.resource for change in change_set.changes if change.loses_a_table]
    if lost:
        raise DeploymentError(
            f"The changes would replace or remove {', '.join(lost)}, and the stack would go on "
            "with empty tables. Nothing was changed. To use other tables, deploy another stack."
        )


def _pages(cloud: Cloud, name: str, stack: str) -> Any:
    token: dict[str, str] = {}
    while True:
        page = ask(
            cloud.cloudformation,
            "DescribeChangeSet",
            stack,
            ChangeSetName=name,
            StackName=stack,
            **token,
        )
        yield page
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


def _change(entry: dict[str, Any]) -> Change:
    said = entry["ResourceChange"]
    return Change(
        said["Action"],
        said["LogicalResourceId"],
        said["ResourceType"],
        str(said.get("Replacement", "False")),
    )
