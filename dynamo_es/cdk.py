"""A construct of AWS CDK that deploys the event store. Needs the extra ``cdk``, and Node.js.

The construct includes infra/app.yaml, the same template that ``dynamo-es deploy`` deploys.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from dynamo_es.dynamodb.tables.template import parse_yaml, template_path
from dynamo_es.exceptions import ConfigurationError, MissingExtraError

try:
    from aws_cdk import aws_iam, aws_lambda, aws_s3_assets, cloudformation_include
    from constructs import Construct
except ImportError as error:
    raise MissingExtraError("cdk", "The construct") from error

if TYPE_CHECKING:
    from collections.abc import Mapping

_FUNCTIONS: Final = ("Sequencer", "Outbox", "ReadModel")
_CODE: Final = frozenset({"CodeBucket", "CodeKey"})
_ROLES: Final = (
    *("Writers", "Readers", "Deleters", "Sequencers", "Pollers", "Consumers"),
    *("OneTenant", "OneTenantLog"),
)


class EventStore(Construct):
    """The tables and policies of an event store, and the Lambda functions that you ask for.

    Example:
        ::

            store = EventStore(
                self,
                "EventStore",
                package="build/dynamo_es-….zip",
                parameters={"NamePrefix": "shop", "OutboxTargetArn": queue.queue_arn},
            )
            store.grant("Writers", api_function.role)

    Args:
        scope: the stack.
        id: id of the construct.
        package: path of the zip that ``dynamo-es package`` built; None: the stack has no functions.
        parameters: parameters of the template, such as ``{"LogRetentionDays": 7}``;
            ``dynamo-es template app`` lists them. Values may be CDK tokens.
        environment: further environment variables for all functions.

    Raises:
        ConfigurationError: a parameter is unknown, or a function has no package.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,  # noqa: A002 - its name in CDK
        *,
        package: str | Path | None = None,
        parameters: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(scope, id)
        given = dict(parameters or {})
        if taken := sorted(given.keys() & _CODE):
            raise ConfigurationError(f"{taken[0]} comes from the package: give package=.")
        if package is None:
            asked = [name for name in ("OutboxTargetArn", "ReadModelHandler") if given.get(name)]
            if asked or given.get("Sequencer") == "true":
                raise ConfigurationError(
                    f"{(asked or ['Sequencer'])[0]} asks for a function: give package=, which "
                    "`dynamo-es package` builds."
                )
            given["Sequencer"] = "false"
        else:
            code = aws_s3_assets.Asset(self, "Package", path=str(package))
            given |= {"CodeBucket": code.s3_bucket_name, "CodeKey": code.s3_object_key}
        self._template = self._include({name: str(value) for name, value in given.items()})
        for name in _FUNCTIONS:
            function = self._template.get_resource(f"{name}Function")
            for variable, value in (environment or {}).items():
                function.add_property_override(f"Environment.Variables.{variable}", value)

    def _include(self, parameters: Mapping[str, str]) -> cloudformation_include.CfnInclude:
        template = parse_yaml(template_path("app").read_text(encoding="utf-8"))
        if unknown := sorted(parameters.keys() - template["Parameters"].keys()):
            raise ConfigurationError(
                f"The template has no parameter {unknown[0]!r}. Parameters: "
                f"{', '.join(template['Parameters'])}."
            )
        # Rules cannot hold tokens, and the parameters are checked here.
        del template["Rules"], template["Metadata"]
        with TemporaryDirectory() as folder:
            file = Path(folder) / "app.json"
            file.write_text(json.dumps(template), encoding="utf-8")
            return cloudformation_include.CfnInclude(
                self,
                "App",
                template_file=str(file),
                parameters=dict(parameters),
                # Several constructs fit into one stack.
                preserve_logical_ids=False,
            )

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables by which a program finds the tables."""
        return {
            f"DYNAMO_ES_{kind.upper()}_TABLE": self._template.get_resource(f"{kind}Table").ref
            for kind in ("Events", "Log", "Keys")
        }

    def grant(self, role: str, to: aws_iam.IRole) -> None:
        """Give a role the policy of its task.

        Args:
            role: name of the policy in infra/access.yaml, such as ``Writers``.
            to: the role that gets it.

        Raises:
            ConfigurationError: there is no such policy.
        """
        if role not in _ROLES:
            raise ConfigurationError(f"There is no policy {role!r}. Policies: {', '.join(_ROLES)}.")
        arn = self._template.get_resource(role).ref
        policy = aws_iam.ManagedPolicy.from_managed_policy_arn(self, f"{role}{to.node.addr}", arn)
        to.add_managed_policy(policy)

    def function(self, name: str) -> aws_lambda.IFunction:
        """Return a function of the stack, for alarms and permissions.

        Args:
            name: ``Sequencer``, ``Outbox`` or ``ReadModel``.
        """
        if name not in _FUNCTIONS:
            raise ConfigurationError(
                f"There is no function {name!r}. Functions: {', '.join(_FUNCTIONS)}."
            )
        arn = self._template.get_resource(f"{name}Function").get_att("Arn").to_string()
        return aws_lambda.Function.from_function_arn(self, f"{name}Imported", arn)
