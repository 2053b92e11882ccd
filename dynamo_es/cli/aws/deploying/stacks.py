"""The current state of a stack: its status, its parameters, its outputs, and why it failed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.cli.aws.deploying.cloud import ask, ask_for_all
from dynamo_es.exceptions import DeploymentError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamo_es.cli.aws.deploying.cloud import Cloud

ONLY_REVIEWED: Final = "REVIEW_IN_PROGRESS"
"""Status of a stack that has only a change set so far."""

SECONDS_BETWEEN_LOOKS: Final = 3.0
_DELETED: Final = "DELETE_COMPLETE"
_UNDER_WAY: Final = "_IN_PROGRESS"
_FAILED: Final = "_FAILED"
_GOOD: Final = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
_FOLLOWS_FROM_ANOTHER: Final = ("Resource creation cancelled", "Resource update cancelled")
_MISSING: Final = "does not exist"
_ADVICE: Final = {
    "ROLLBACK_COMPLETE": "Its creation failed. Delete it first: dynamo-es teardown --stack {name}",
    "ROLLBACK_FAILED": "Its creation failed. Delete it first: dynamo-es teardown --stack {name}",
    "DELETE_FAILED": "Its deletion failed. To finish it: dynamo-es teardown --stack {name}",
    "UPDATE_ROLLBACK_FAILED": (
        "Its last update failed and could not be undone: see `aws cloudformation "
        "continue-update-rollback`."
    ),
}


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that exists.

    Attributes:
        name: name of the stack.
        id: its ARN.
        status: CloudFormation's name of its status.
        parameters: values of its parameters, by name.
        outputs: values of its outputs, by name.
    """

    name: str
    id: str
    status: str
    parameters: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)

    @property
    def is_under_way(self) -> bool:
        """Whether CloudFormation is working on it."""
        return self.status.endswith(_UNDER_WAY) and self.status != ONLY_REVIEWED

    @property
    def is_good(self) -> bool:
        """Whether the last deployment succeeded."""
        return self.status in _GOOD

    @property
    def is_deleted(self) -> bool:
        """Whether it was deleted."""
        return self.status == _DELETED


def find(cloud: Cloud, name: str) -> Stack | None:
    """Return a stack by its name or id; None if there is none.

    Raises:
        ServiceError: AWS refused or did not answer.
    """
    try:
        (found,) = ask(cloud.cloudformation, "DescribeStacks", name, StackName=name)["Stacks"]
    except ServiceError as error:
        if error.code == "ValidationError" and _MISSING in str(error):
            return None
        raise
    return Stack(
        found["StackName"],
        found["StackId"],
        found["StackStatus"],
        {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", ())},
        {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", ())},
    )


def check_ready(stack: Stack) -> None:
    """Check that a stack can be changed.

    Raises:
        DeploymentError: CloudFormation is working on it, or its last change failed.
    """
    if stack.is_under_way:
        raise DeploymentError(
            f"The stack {stack.name} is {stack.status}: wait until CloudFormation has finished."
        )
    if stack.status in _ADVICE:
        advice = _ADVICE[stack.status].format(name=stack.name)
        raise DeploymentError(f"The stack {stack.name} is {stack.status}. {advice}")


def events(cloud: Cloud, stack_id: str) -> list[dict[str, Any]]:
    """Return the events of a stack, oldest first."""
    found = ask_for_all(
        cloud.cloudformation, "DescribeStackEvents", "StackEvents", StackName=stack_id
    )
    return found[::-1]


def watch(
    cloud: Cloud,
    stack_id: str,
    before: set[str],
    tell: Callable[[dict[str, Any]], None],
    sleep: Callable[[float], None],
) -> Stack:
    """Wait until CloudFormation has finished with a stack; report each event once.

    Args:
        cloud: the clients.
        stack_id: its ARN, because a deleted stack cannot be found by its name.
        before: ids of the events that happened earlier.
        tell: called with each new event.
        sleep: waits the given number of seconds.
    """
    seen, ended = set(before), False
    while True:
        # Read the stack before its events: events in between are reported the next time.
        stack = find(cloud, stack_id)
        if stack is None:
            return Stack(stack_id, stack_id, _DELETED)
        for event in events(cloud, stack_id):
            if event["EventId"] not in seen:
                seen.add(event["EventId"])
                tell(event)
                ended |= _ends(event, stack_id)
        # The status alone is not enough, because at first it is still the old one.
        if stack.is_deleted or (ended and not stack.is_under_way):
            return stack
        sleep(SECONDS_BETWEEN_LOOKS)


def _ends(event: dict[str, Any], stack_id: str) -> bool:
    of_stack = event.get("PhysicalResourceId") == stack_id
    return of_stack and not event["ResourceStatus"].endswith(_UNDER_WAY)


def failures(cloud: Cloud, stack_id: str, before: set[str]) -> Iterator[str]:
    """Yield the reasons why resources failed, the first cause first."""
    for event in events(cloud, stack_id):
        reason = event.get("ResourceStatusReason", "")
        if (
            event["EventId"] not in before
            and event.get("ResourceStatus", "").endswith(_FAILED)
            and not reason.startswith(_FOLLOWS_FROM_ANOTHER)
        ):
            kind = event.get("ResourceType", "")
            yield f"{event['LogicalResourceId']} ({kind}): {reason or event['ResourceStatus']}"


def raise_failure(cloud: Cloud, stack: Stack, before: set[str], what: str) -> None:
    """Raise an error that explains why a deployment or a deletion failed.

    Args:
        cloud: the clients.
        stack: the current stack.
        before: ids of the events that happened earlier.
        what: the failed action as a participle, such as ``deployed``.

    Raises:
        DeploymentError: always.
    """
    reasons = list(failures(cloud, stack.id, before))
    advice = _ADVICE.get(stack.status, "").format(name=stack.name)
    why = " ".join(reasons[:3]) or "CloudFormation gave no reason."
    raise DeploymentError(
        f"The stack {stack.name} was not {what}, and is {stack.status}. {why} {advice}".rstrip()
    )
