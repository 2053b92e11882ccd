"""Puts dynamo_es and what it needs into a folder, for another version of Python if need be."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final

import dynamo_es
from dynamo_es.exceptions import ConfigurationError, DeploymentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamo_es.cli.aws.packaging.runtimes import Target

EXTRAS: Final = ("encryption", "powertools", "otel", "eventsourcing", "event-sourcery")
"""The extras that a function may need."""

_NAME: Final = "dynamo_es"
_MARKER: Final = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")
_WITHOUT_BOTO3: Final = re.compile(r"boto3(?![\w-])")
_LAST_LINES: Final = 5
_MACHINES: Final = {"arm64": "aarch64", "x86_64": "x86_64"}


def requirements(extras: Sequence[str], *, without_boto3: bool = False) -> list[str]:
    """Return what dynamo_es needs, as this installation says.

    Args:
        extras: names of extras, such as ``encryption``.
        without_boto3: whether the runtime's boto3 is used.

    Raises:
        ConfigurationError: an extra that a function does not need, or dynamo_es is not installed.
    """
    if unknown := [extra for extra in extras if extra not in EXTRAS]:
        raise ConfigurationError(
            f"A function has no extra {unknown[0]!r}. Extras: {', '.join(EXTRAS)}."
        )
    try:
        declared = distribution(_NAME).requires or ()
    except PackageNotFoundError:
        raise ConfigurationError(
            "dynamo_es is not installed, only on Python's path, so that its requirements are "
            "not known: pip install dynamo_es"
        ) from None
    wanted = []
    for line in declared:
        requirement, _, marker = (part.strip() for part in line.partition(";"))
        extra = _MARKER.search(marker)
        if extra is not None and extra[1] not in extras:
            continue
        if not (without_boto3 and _WITHOUT_BOTO3.match(requirement)):
            wanted.append(requirement)
    return wanted


def copy_ourselves(folder: Path) -> None:
    """Copy this installation of dynamo_es, with its metadata and its licence."""
    source = Path(dynamo_es.__file__).parent
    shutil.copytree(source, folder / _NAME, ignore=shutil.ignore_patterns("__pycache__"))
    found = distribution(_NAME)
    info = folder / f"{_NAME}-{dynamo_es.__version__}.dist-info"
    info.mkdir()
    for name in ("METADATA", "licenses/LICENSE"):
        if (text := found.read_text(name)) is not None:
            (info / name).parent.mkdir(exist_ok=True)
            (info / name).write_text(text, encoding="utf-8")


def install(folder: Path, wanted: Sequence[str], target: Target) -> None:
    """Install requirements into a folder, for a runtime, as wheels.

    It takes pip, or uv where pip is not installed. Both read their own settings: an index, or a
    folder of wheels, is configured there.

    Args:
        folder: gets the packages.
        wanted: requirements, and options such as ``--requirement FILE``.
        target: the runtime.

    Raises:
        ConfigurationError: neither pip nor uv is installed.
        DeploymentError: a package cannot be had for that runtime.
    """
    if not wanted:
        return
    done = subprocess.run(  # noqa: S603 - pip or uv
        [*_installer(target), "--target", str(folder), *wanted],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise DeploymentError(
            f"The packages for {target.runtime} on {target.architecture} could not be installed: "
            + " ".join(said[-_LAST_LINES:])
        )


def _installer(target: Target) -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install"]
        command += ["--quiet", "--python-version", target.python, "--implementation", "cp"]
        command += ["--only-binary=:all:", "--no-compile", "--upgrade"]
        for platform in target.platforms:
            command += ["--platform", platform]
        return command
    if (uv := shutil.which("uv")) is not None:
        best = target.platforms[0].removesuffix(f"_{_MACHINES[target.architecture]}")
        command = [uv, "pip", "install", "--quiet", "--python-version", target.python]
        command += ["--python-platform", f"{_MACHINES[target.architecture]}-{best}"]
        return [*command, "--only-binary", ":all:", "--no-compile-bytecode"]
    raise ConfigurationError("Packaging needs pip or uv: run `python -m ensurepip`, or install uv.")


def interpreter(target: Target) -> str | None:
    """Return an interpreter of the runtime's version, to compile with; None if there is none."""
    if target.python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    return shutil.which(f"python{target.python}")
