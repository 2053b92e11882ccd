"""Builds a package, and reads what a package says about itself."""

from __future__ import annotations

import json
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dynamo_es import __version__
from dynamo_es.cli.aws.packaging.contents import (
    compile_all,
    content_hash,
    copy_into,
    pack,
    prune,
    unpacked_size,
)
from dynamo_es.cli.aws.packaging.installing import (
    copy_ourselves,
    install,
    interpreter,
    requirements,
)
from dynamo_es.cli.aws.packaging.runtimes import Target
from dynamo_es.exceptions import ConfigurationError, DeploymentError

MANIFEST: Final = "dynamo_es_package.json"
"""File in a package that says which runtime it was built for."""
MOST_BYTES: Final = 262_144_000
"""What Lambda takes of a function, unpacked, with its layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a package is made of.

    Attributes:
        target: where it runs.
        extras: of dynamo_es, such as ``encryption``.
        added: your files, and folders under their names.
        requirement_files: what your code needs, as pip reads it.
        constraint_files: versions, as pip reads them.
        without_boto3: whether the runtime's own boto3 is used.
        layer: whether it is a layer instead of a function's code.
    """

    target: Target
    extras: tuple[str, ...] = ()
    added: tuple[Path, ...] = ()
    requirement_files: tuple[Path, ...] = ()
    constraint_files: tuple[Path, ...] = ()
    without_boto3: bool = False
    layer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package that was built.

    Attributes:
        path: of the zip.
        target: where it runs.
        digest: 12 digits that stand for its content.
        release: of dynamo_es in it.
        compiled: whether it holds bytecode.
    """

    path: Path
    target: Target
    digest: str
    release: str
    compiled: bool

    @property
    def key(self) -> str:
        """Its name in a bucket. Another content has another name."""
        target = f"py{self.target.python}-{self.target.architecture}"
        return f"dynamo_es-{self.release}-{target}-{self.digest}.zip"


def build(recipe: Recipe, into: Path) -> Package:
    """Build a package: dynamo_es, what it needs, and your code, for one runtime.

    Args:
        recipe: what to put into it.
        into: folder of the zip, whose name carries release, runtime and content.

    Raises:
        ConfigurationError: a file is missing, or an extra is unknown.
        DeploymentError: a package cannot be had for that runtime, or all is too large for Lambda.
    """
    for path in (*recipe.added, *recipe.requirement_files, *recipe.constraint_files):
        if not path.exists():
            raise ConfigurationError(f"There is no file {path}.")
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into, prefix=".package-") as scratch:
        folder, draft = Path(scratch) / "code", Path(scratch) / "draft.zip"
        folder.mkdir()
        compiled = gather(recipe, folder)
        pack(draft, folder, under="python/" if recipe.layer else "")
        if (size := unpacked_size(draft)) > MOST_BYTES:
            raise DeploymentError(
                f"The package has {size / 1e6:.0f} MB unpacked, and Lambda takes "
                f"{MOST_BYTES / 1e6:.0f} MB. Add less, or use an image."
            )
        package = Package(
            path=draft,
            target=recipe.target,
            digest=content_hash(draft),
            release=__version__,
            compiled=compiled,
        )
        name = f"layer-{package.key}" if recipe.layer else package.key
        path = draft.replace(into / name)
    return read(path)


def gather(recipe: Recipe, folder: Path) -> bool:
    """Put all that a package holds into an empty folder; return whether it holds bytecode."""
    options = [f"--requirement={path}" for path in recipe.requirement_files]
    options += [f"--constraint={path}" for path in recipe.constraint_files]
    wanted = requirements(recipe.extras, without_boto3=recipe.without_boto3)
    install(folder, [*wanted, *options], recipe.target)
    copy_ourselves(folder)
    prune(folder, without_boto3=recipe.without_boto3)
    for path in recipe.added:
        copy_into(path, folder)
    python = interpreter(recipe.target)
    manifest = {
        "release": __version__,
        "runtime": recipe.target.runtime,
        "architecture": recipe.target.architecture,
        "extras": sorted(recipe.extras),
        "compiled": python is not None,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    if python is not None:
        compile_all(folder, python)
    return python is not None


def read(path: Path) -> Package:
    """Return a package from its zip.

    Raises:
        ConfigurationError: it is not a zip that `dynamo-es package` made.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = [each for each in archive.namelist() if each.endswith(MANIFEST)]
            said = json.loads(archive.read(name))
        return Package(
            path=path,
            target=Target(said["runtime"], said["architecture"]),
            digest=content_hash(path),
            release=said["release"],
            compiled=said["compiled"],
        )
    except (OSError, zipfile.BadZipFile, ValueError, KeyError) as error:
        raise ConfigurationError(
            f"{path} is not a package that `dynamo-es package` built: it has no {MANIFEST} that "
            "says for which runtime."
        ) from error
