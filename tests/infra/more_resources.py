"""Has moto's CloudFormation make resources that it leaves out, by requests to moto's own services.

boto3 checks the properties of each: a name or a type that the service does not know is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import boto3


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of resource is made.

    Attributes:
        service: as boto3 names it.
        create: the operation.
        ref: member of the reply that ``Ref`` is; None: the name.
        name: property that gets a generated name if the template gives none; None: it has no name.
        update: the operation that changes it; None: it stays as it is.
        own_case: whether the service's parameters begin with small letters.
    """

    service: str
    create: str
    ref: str | None = None
    name: str | None = None
    update: str | None = None
    own_case: bool = False


KINDS: Final = {
    "AWS::Lambda::Alias": Kind("lambda", "create_alias", "AliasArn", update="update_alias"),
    "AWS::ApiGatewayV2::Api": Kind("apigatewayv2", "create_api", "ApiId"),
    "AWS::ApiGatewayV2::Authorizer": Kind("apigatewayv2", "create_authorizer", "AuthorizerId"),
    "AWS::ApiGatewayV2::Integration": Kind("apigatewayv2", "create_integration", "IntegrationId"),
    "AWS::ApiGatewayV2::Route": Kind("apigatewayv2", "create_route", "RouteId"),
    "AWS::ApiGatewayV2::Stage": Kind("apigatewayv2", "create_stage", "StageName"),
    "AWS::CodeDeploy::Application": Kind(
        "codedeploy", "create_application", name="ApplicationName", own_case=True
    ),
    "AWS::CodeDeploy::DeploymentGroup": Kind(
        "codedeploy", "create_deployment_group", name="DeploymentGroupName", own_case=True
    ),
    "AWS::CloudWatch::Alarm": Kind(
        "cloudwatch", "put_metric_alarm", name="AlarmName", update="put_metric_alarm"
    ),
    "AWS::CloudWatch::Dashboard": Kind(
        "cloudwatch", "put_dashboard", name="DashboardName", update="put_dashboard"
    ),
}


def install() -> None:
    """Teach moto these kinds, the number of a version, and the outputs of a nested stack."""
    from moto.awslambda.models import LambdaVersion
    from moto.cloudformation import parsing
    from moto.cloudformation.models import Stack

    parsing.get_model_map().update({name: _model(name, kind) for name, kind in KINDS.items()})

    def attribute(version: Any, name: str) -> str:
        assert name == "Version"
        return str(version.version)

    def output(stack: Any, name: str) -> str:
        return str(stack.output_map[name.removeprefix("Outputs.")].value)

    LambdaVersion.get_cfn_attribute = attribute  # type: ignore[attr-defined]
    Stack.get_cfn_attribute = output  # type: ignore[attr-defined]


def _model(type_name: str, kind: Kind) -> Any:
    from moto.core.common_models import CloudFormationModel

    class Resource(CloudFormationModel):
        """A resource that a request to its service makes."""

        def __init__(self, reference: str, name: str) -> None:
            self.physical_resource_id = reference
            self.name = name

        @staticmethod
        def cloudformation_type() -> str:
            return type_name

        @classmethod
        def create_from_cloudformation_json(
            cls,
            resource_name: str,
            cloudformation_json: dict[str, Any],
            account_id: str,
            region_name: str,
            **_: Any,
        ) -> Resource:
            del account_id
            properties = _present(cloudformation_json["Properties"])
            name = properties.setdefault(kind.name, resource_name) if kind.name else ""
            reply = _send(kind, kind.create, properties, region_name)
            return cls(name if kind.ref is None else reply[kind.ref], name)

        @classmethod
        def update_from_cloudformation_json(
            cls,
            original_resource: Resource,
            new_resource_name: str,
            cloudformation_json: dict[str, Any],
            account_id: str,
            region_name: str,
        ) -> Resource:
            del account_id, new_resource_name
            if kind.update is not None:
                properties = _present(cloudformation_json["Properties"])
                if kind.name:
                    properties[kind.name] = original_resource.name
                _send(kind, kind.update, properties, region_name)
            return original_resource

    return Resource


def _send(kind: Kind, operation: str, properties: dict[str, Any], region: str) -> dict[str, Any]:
    parameters = _own_case(properties) if kind.own_case else properties
    client = boto3.client(kind.service, region_name=region)  # type: ignore[call-overload]
    reply: dict[str, Any] = getattr(client, operation)(**parameters)
    return reply


def _present(node: Any) -> Any:
    """Return properties without those that are ``AWS::NoValue``."""
    if isinstance(node, dict):
        return {key: _present(value) for key, value in node.items() if value is not None}
    if isinstance(node, list):
        return [_present(value) for value in node if value is not None]
    return node


def _own_case(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key[0].lower() + key[1:]: value if key == "Tags" else _own_case(value)
            for key, value in node.items()
        }
    return [_own_case(value) for value in node] if isinstance(node, list) else node
