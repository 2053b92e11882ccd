"""The options for the account and the region of a stack."""

from dataclasses import dataclass
from typing import Annotated

import typer

from dynamo_es.cli.aws.deploying.cloud import Cloud, connect
from dynamo_es.cli.options import Place

_PANEL = "Account"

StackName = Annotated[
    str,
    typer.Option(
        "--stack", help="Name of the stack.", metavar="NAME", show_default=False, prompt=False
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The options for account and region, which several commands share."""

    endpoint_url: Annotated[
        str | None,
        typer.Option(
            "--endpoint-url",
            help="Address of an emulator of AWS. Default: AWS.",
            metavar="URL",
            rich_help_panel=_PANEL,
        ),
    ] = None
    region: Annotated[
        str | None,
        typer.Option(
            "--region",
            help="AWS region. Default: that of the AWS SDK.",
            metavar="NAME",
            rich_help_panel=_PANEL,
        ),
    ] = None
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            help="AWS profile. Default: that of the AWS SDK.",
            metavar="NAME",
            rich_help_panel=_PANEL,
        ),
    ] = None

    @property
    def place(self) -> Place:
        """The same options, for commands that use the tables."""
        return Place(endpoint_url=self.endpoint_url, region=self.region, profile=self.profile)

    def connect(self) -> Cloud:
        """Return the clients of the services.

        Raises:
            ConfigurationError: a variable is wrong.
            CredentialsError: no region is configured, or the profile does not exist.
        """
        return connect(self.place.config())
