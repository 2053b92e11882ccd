"""What `scripts/package-lambda` runs: gathers, prunes, compiles, packs, measures."""

from __future__ import annotations

import argparse
import compileall
import json
import platform
import py_compile
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

sys.path.insert(0, str(Path(__file__).parent))
import _lambda_start

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
PLATFORMS: Final = {"arm64": "manylinux2014_aarch64", "x86_64": "manylinux2014_x86_64"}
SERVICES: Final = frozenset({"dynamodb", "dynamodbstreams", "events", "kms", "sns", "sqs", "sts"})
"""Of botocore's data, what dynamo_es calls."""
RUNTIME_BRINGS: Final = (
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "dateutil",
    "urllib3",
    "six.py",
)
MOST_MEGABYTES: Final = 10
_STARTS: Final = 7
_SINCE_1980: Final = (1980, 1, 1, 0, 0, 0)

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
    """Build; 1 if a zip is larger than it may be."""
    arguments = _parse()
    into: Path = arguments.into
    into.mkdir(parents=True, exist_ok=True)
    ours = arguments.python == _this_python()
    too_large = False
    with tempfile.TemporaryDirectory() as scratch:
        wheel = _build_wheel(Path(scratch))
        for architecture in arguments.architecture or PLATFORMS:
            folder = Path(scratch) / architecture
            _gather(wheel, folder, architecture, arguments.python)
            prune(folder, without_boto3=arguments.without_boto3)
            if ours:
                compile_all(folder)
            name = f"dynamo_es-{architecture}-py{arguments.python}"
            code, layer = into / f"{name}.zip", into / f"{name}-layer.zip"
            pack(layer, folder, under="python/")
            for extra in arguments.add:
                _copy(extra, folder)
            pack(code, folder)
            for path in (code, layer):
                megabytes = path.stat().st_size / 1e6
                _tell(f"{path}: {megabytes:.2f} MB")
                too_large |= megabytes > MOST_MEGABYTES and not arguments.add
            if ours and architecture == _this_architecture() and not arguments.without_boto3:
                _tell_cold_start(folder)
                _tell_starts(folder, Path(scratch))
    if not ours:
        _tell(
            f"Without compiled bytecode: run this by Python {arguments.python} to have it, "
            f"PYTHON=python{arguments.python} DYNAMO_ES_VENV=… {sys.argv[0]}"
        )
    if too_large:
        _tell(f"A zip has more than {MOST_MEGABYTES} MB.")
    return 1 if too_large else 0


def prune(folder: Path, *, without_boto3: bool = False) -> None:
    """Remove what a function never reads: other services' data, examples, tests, type hints."""
    if without_boto3:
        for name in RUNTIME_BRINGS:
            _remove(folder / name)
    for entry in folder.glob("botocore/data/*/"):
        if entry.is_dir() and entry.name not in SERVICES:
            _remove(entry)
    for pattern in (
        "boto3/examples",
        "boto3/data",
        "bin",
        "dynamo_es/cli",
        "*.dist-info/licenses",
        "botocore/data/*/*/examples-1.*",
    ):
        for path in folder.glob(pattern):
            _remove(path)
    for pattern in ("__pycache__", "tests", "*.pyi", "py.typed"):
        for path in list(folder.rglob(pattern)):
            _remove(path)


def compile_all(folder: Path) -> None:
    """Compile to bytecode that is taken as it is, whatever the times of the files in the zip."""
    compileall.compile_dir(
        folder,
        quiet=1,
        stripdir=str(folder),
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def pack(path: Path, folder: Path, under: str = "") -> None:
    """Write a zip that depends on its content alone: the same files make the same bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in _files(folder):
            entry = zipfile.ZipInfo(under + file.relative_to(folder).as_posix(), _SINCE_1980)
            entry.external_attr = (0o755 if file.suffix == ".so" else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())


def cold_start(folder: Path, body: str) -> float:
    """Return the seconds that a fresh interpreter takes for something, with that folder only."""
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
    """Install the program by which Lambda runs Python's functions; None if it cannot be had."""
    try:
        _pip("install", "awslambdaric", "--target", str(folder), "--only-binary=:all:")
    except subprocess.CalledProcessError:
        return None
    compile_all(folder)
    return folder


def _build_wheel(scratch: Path) -> Path:
    _pip("wheel", "--no-deps", "--wheel-dir", str(scratch), str(ROOT))
    (wheel,) = scratch.glob("*.whl")
    return wheel


def _gather(wheel: Path, folder: Path, architecture: str, python: str) -> None:
    _pip(
        "install",
        str(wheel),
        "--target",
        str(folder),
        "--platform",
        PLATFORMS[architecture],
        "--python-version",
        python,
        "--implementation",
        "cp",
        "--only-binary=:all:",
        "--no-compile",
        "--upgrade",
    )


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    subprocess.run(command, check=True)  # noqa: S603 - of this file's own making


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _copy(source: Path, folder: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, folder / source.resolve().name, dirs_exist_ok=True)
    else:
        shutil.copy2(source, folder)


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _this_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _this_architecture() -> str:
    return "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/package-lambda")
    parser.add_argument("--into", type=Path, default=ROOT / "build")
    parser.add_argument("--architecture", action="append", choices=PLATFORMS)
    parser.add_argument("--python", default=_this_python(), help="version of the runtime")
    parser.add_argument("--without-boto3", action="store_true")
    parser.add_argument("--add", type=Path, action="append", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
