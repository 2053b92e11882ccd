"""Runs as `scripts/package-lambda`: builds packages as `dynamo-es package` does; measures them."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Final

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))
import _lambda_start

from dynamo_es.cli.aws.packaging.building import Recipe, build, gather
from dynamo_es.cli.aws.packaging.contents import compile_all
from dynamo_es.cli.aws.packaging.installing import EXTRAS
from dynamo_es.cli.aws.packaging.runtimes import ARCHITECTURES, Target

ROOT: Final = Path(__file__).parents[1]
MOST_MEGABYTES: Final = 10
_STARTS: Final = 7

START_OF_OURS: Final = """
from dynamo_es import DynamoBackend, DynamoConfig
config = DynamoConfig(events_table="e", log_table="l", keys_table="k", region="eu-west-1")
DynamoBackend(config).client
"""
START_OF_BOTO3: Final = """
import boto3
boto3.session.Session().client("dynamodb", region_name="eu-west-1")
"""
_TIMED: Final = """
import time
began = time.perf_counter()
{body}
print(time.perf_counter() - began)
"""


def main() -> int:
    """Build the packages; return 1 if a zip is larger than the limit."""
    arguments = _parse()
    into: Path = arguments.into
    into.mkdir(parents=True, exist_ok=True)
    too_large = False
    for architecture in arguments.architecture or ARCHITECTURES:
        recipe = Recipe(
            target=Target(f"python{arguments.python}", architecture),
            extras=tuple(arguments.extra),
            added=tuple(arguments.add),
            without_boto3=arguments.without_boto3,
        )
        for each in (recipe, replace(recipe, layer=True, added=())):
            built = build(each, into)
            megabytes = built.path.stat().st_size / 1e6
            _tell(f"{built.path}: {megabytes:.2f} MB")
            too_large |= megabytes > MOST_MEGABYTES and not arguments.add
            if not built.compiled:
                _tell(f"Without bytecode: Python {arguments.python} is not installed here.")
        here = architecture == _this_architecture() and arguments.python == _this_python()
        if here and not arguments.without_boto3:
            _measure(recipe)
    if too_large:
        _tell(f"A zip is larger than {MOST_MEGABYTES} MB.")
    return 1 if too_large else 0


def _measure(recipe: Recipe) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "code"
        folder.mkdir()
        gather(recipe, folder)
        _tell_cold_start(folder)
        _tell_starts(folder, Path(scratch))


def cold_start(folder: Path, body: str) -> float:
    """Return the seconds that code takes in a fresh interpreter that has only this folder."""
    done = subprocess.run(  # noqa: S603 - of this file's own making
        [sys.executable, "-S", "-c", _TIMED.format(body=body)],
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout))


def _tell_cold_start(folder: Path) -> None:
    pairs = [
        (cold_start(folder, START_OF_OURS), cold_start(folder, START_OF_BOTO3))
        for _ in range(_STARTS)
    ]
    ours = median(pair[0] for pair in pairs)
    ratio = median(pair[0] / pair[1] for pair in pairs)
    _tell(
        f"cold start, import and first client: {ours * 1000:.0f} ms, {ratio:.2f} of bare boto3 "
        "from the same zip"
    )


def _tell_starts(folder: Path, scratch: Path) -> None:
    client = _runtime_client(scratch / "client")
    functions = scratch / "functions"
    functions.mkdir()
    starts = _lambda_start.measure(folder, functions, client, _STARTS)
    for line in _lambda_start.lines(starts, with_client=client is not None):
        _tell(line)


def _runtime_client(folder: Path) -> Path | None:
    """Install AWS's runtime interface client and return its folder; None if pip fails."""
    try:
        _pip("install", "awslambdaric", "--target", str(folder), "--only-binary=:all:")
    except subprocess.CalledProcessError:
        return None
    compile_all(folder)
    return folder


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    subprocess.run(command, check=True)  # noqa: S603 - of this file's own making


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _this_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _this_architecture() -> str:
    return "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/package-lambda")
    parser.add_argument("--into", type=Path, default=ROOT / "build")
    parser.add_argument("--architecture", action="append", choices=ARCHITECTURES)
    parser.add_argument("--extra", action="append", default=[], choices=EXTRAS)
    parser.add_argument("--python", default=_this_python(), help="version of the runtime")
    parser.add_argument("--without-boto3", action="store_true")
    parser.add_argument("--add", type=Path, action="append", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
