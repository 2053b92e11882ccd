"""Installs dynamo_es and its dependencies into a folder, also for another version of Python."""

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
    """Return the requirements of dynamo_es, from the metadata of this installation.

    Args:
        extras: names of extras, such as ``encryption``.
        without_boto3: whether the runtime's boto3 is used.

    Raises:
        ConfigurationError: an extra that a function does not need, or dynamo_es is not installed.
    """
    if unknown := [extra for extra in extras if extra not in EXTRAS]:
        raise ConfigurationError(
            f"There is no extra {unknown[0]!r} for functions. Extras: {', '.join(EXTRAS)}."
        )
    try:
        declared = distribution(_NAME).requires or ()
    except PackageNotFoundError:
        raise ConfigurationError(
            "dynamo_es is only on Python's path but not installed, so its requirements are "
            "unknown: pip install dynamo_es"
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

    It uses pip, or uv if pip is not installed. Both read their own settings, where you can
    configure an index or a folder of wheels.

    Args:
        folder: folder for the packages.
        wanted: requirements, and options such as ``--requirement FILE``.
        target: the runtime and the architecture.

    Raises:
        ConfigurationError: neither pip nor uv is installed.
        DeploymentError: a package is not available for the runtime.
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
            f"Could not install the packages for {target.runtime} on {target.architecture}: "
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
    """Return an interpreter of the runtime's version, for compiling; None if there is none."""
    if target.python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    return shutil.which(f"python{target.python}")
