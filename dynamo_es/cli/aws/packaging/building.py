"""Builds a package, and reads the manifest of a package."""

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
"""File in a package that names the runtime for which it was built."""
MOST_BYTES: Final = 262_144_000
"""The most unpacked bytes of a function with its layers that Lambda accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The description of a package to build.

    Attributes:
        target: the runtime and the architecture.
        extras: extras of dynamo_es, such as ``encryption``.
        added: your files and folders, which keep their names.
        requirement_files: requirements of your code, in pip's format.
        constraint_files: versions, in pip's format.
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
        path: path of the zip.
        target: the runtime and the architecture.
        digest: 12 hex digits of the hash of its content.
        release: release of dynamo_es in it.
        compiled: whether it contains bytecode.
    """

    path: Path
    target: Target
    digest: str
    release: str
    compiled: bool

    @property
    def key(self) -> str:
        """Its name in a bucket. A package with other content has another name."""
        target = f"py{self.target.python}-{self.target.architecture}"
        return f"dynamo_es-{self.release}-{target}-{self.digest}.zip"


def build(recipe: Recipe, into: Path) -> Package:
    """Build a package with dynamo_es, its dependencies and your code, for one runtime.

    Args:
        recipe: the description of the package.
        into: folder for the zip, whose name contains release, runtime and a hash of the content.

    Raises:
        ConfigurationError: a file is missing, or an extra is unknown.
        DeploymentError: a dependency is not available for the runtime, or the package is too large
            for Lambda.
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
                f"The package has {size / 1e6:.0f} MB unpacked, but Lambda takes at most "
                f"{MOST_BYTES / 1e6:.0f} MB. Add less, or use a container image."
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
    """Put the content of a package into an empty folder; return whether it contains bytecode."""
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
        ConfigurationError: the file is not a zip that `dynamo-es package` made.
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
            "names the runtime."
        ) from error
