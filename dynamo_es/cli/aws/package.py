"""``dynamo-es package``."""

from pathlib import Path
from typing import Annotated

import typer

from dynamo_es.cli.aws.package_options import PackageOptions
from dynamo_es.cli.aws.packaging.building import build
from dynamo_es.cli.options import AsJson
from dynamo_es.cli.terminal.output import print_json, results, tell


def package(
    package_options: PackageOptions,
    *,
    into: Annotated[Path, typer.Option(help="Folder for the zip.", metavar="FOLDER")] = Path(
        "build"
    ),
    layer: Annotated[bool, typer.Option("--layer", help="Make a Lambda layer.")] = False,
    as_json: AsJson = False,
) -> None:
    """Build the zip of a Lambda function: dynamo_es, its dependencies, and your code.

    The zip contains wheels for the runtime that you name, and the licences of all packages. Its
    name contains the release, the runtime and a hash of the content, so the same content has the
    same name. Needs pip or uv.
    """
    built = build(package_options.recipe(layer=layer), into)
    megabytes = built.path.stat().st_size / 1e6
    if not built.compiled:
        tell(
            "The package has no bytecode, so a cold start takes longer: Python "
            f"{built.target.python} is not installed here.",
            style="dim",
        )
    if as_json:
        print_json(
            {
                "path": str(built.path),
                "hash": built.digest,
                "release": built.release,
                "runtime": built.target.runtime,
                "architecture": built.target.architecture,
                "megabytes": round(megabytes, 2),
            }
        )
        return
    results().print(f"{built.path}  {megabytes:.2f} MB", markup=False, soft_wrap=True)
