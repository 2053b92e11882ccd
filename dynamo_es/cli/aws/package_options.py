"""The options for the content of a function's package."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from dynamo_es.cli.aws.packaging.building import Recipe
from dynamo_es.cli.aws.packaging.runtimes import DEFAULT_ARCHITECTURE, DEFAULT_RUNTIME, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageOptions:
    """The options for the content and the runtime of a package."""

    runtime: Annotated[
        str | None,
        typer.Option(
            help=f"Lambda runtime of the functions. Default: {DEFAULT_RUNTIME}", metavar="NAME"
        ),
    ] = None
    architecture: Annotated[
        str | None,
        typer.Option(help=f"arm64 or x86_64. Default: {DEFAULT_ARCHITECTURE}", metavar="NAME"),
    ] = None
    extra: Annotated[
        list[str] | None,
        typer.Option(help="Extra of dynamo_es, such as encryption. Repeatable.", metavar="NAME"),
    ] = None
    add: Annotated[
        list[Path] | None,
        typer.Option(help="File or folder of your code. Repeatable.", metavar="PATH"),
    ] = None
    requirement: Annotated[
        list[Path] | None,
        typer.Option(help="File with your code's requirements. Repeatable.", metavar="FILE"),
    ] = None
    constraint: Annotated[
        list[Path] | None,
        typer.Option(
            help="File that pins versions, so that every build is the same. Repeatable.",
            metavar="FILE",
        ),
    ] = None
    without_boto3: Annotated[
        bool,
        typer.Option("--without-boto3", help="Use the runtime's boto3, whose release AWS chooses."),
    ] = False

    @property
    def is_given(self) -> bool:
        """Whether any of these options is given."""
        return self != PackageOptions()

    def recipe(self, target: Target | None = None, *, layer: bool = False) -> Recipe:
        """Return what to build.

        Args:
            target: the runtime if no option names one.
            layer: whether to make a layer instead of a function's code.
        """
        default = target or Target()
        return Recipe(
            target=Target(
                self.runtime or default.runtime, self.architecture or default.architecture
            ),
            extras=tuple(self.extra or ()),
            added=tuple(self.add or ()),
            requirement_files=tuple(self.requirement or ()),
            constraint_files=tuple(self.constraint or ()),
            without_boto3=self.without_boto3,
            layer=layer,
        )
