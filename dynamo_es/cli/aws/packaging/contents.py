"""Prepares the content of a package: removes unused files, then compiles, packs and hashes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVICES: Final = frozenset({"dynamodb", "dynamodbstreams", "events", "kms", "sns", "sqs", "sts"})
"""The AWS services that dynamo_es calls, whose data in botocore is kept."""
RUNTIME_BRINGS: Final = (
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "dateutil",
    "urllib3",
    "six.py",
)
_NEVER_READ: Final = (
    "boto3/examples",
    "boto3/data",
    "bin",
    "dynamo_es/cli",
    "dynamo_es/cdk.py",
    "dynamo_es/ui",
    "botocore/data/*/*/examples-1.*",
    # Facts about the installation, which differ between builds.
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
    "*.dist-info/uv_cache.json",
    ".lock",
)
_NEVER_READ_ANYWHERE: Final = ("__pycache__", "tests", "*.pyi", "py.typed")
_SINCE_1980: Final = (1980, 1, 1, 0, 0, 0)
_SHORT_HASH: Final = 12


def prune(
    folder: Path, services: frozenset[str] = SERVICES, *, without_boto3: bool = False
) -> None:
    """Remove files that a function never reads: other services' data, examples, tests, type hints.

    The licences of all packages stay.

    Args:
        folder: folder with the installed packages.
        services: AWS services whose data stays, by boto3's names.
        without_boto3: whether to remove the packages that the runtime already has.
    """
    if without_boto3:
        for name in RUNTIME_BRINGS:
            _remove(folder / name)
            for info in folder.glob(f"{name.removesuffix('.py')}-*.dist-info"):
                _remove(info)
    for entry in folder.glob("botocore/data/*/"):
        if entry.is_dir() and entry.name not in services:
            _remove(entry)
    for pattern in _NEVER_READ:
        for path in list(folder.glob(pattern)):
            _remove(path)
    for pattern in _NEVER_READ_ANYWHERE:
        for path in list(folder.rglob(pattern)):
            _remove(path)


def compile_all(folder: Path, python: str = sys.executable) -> None:
    """Compile to bytecode that is used regardless of the file times in the zip.

    Args:
        folder: folder of the package.
        python: path of an interpreter of the runtime's version.
    """
    options = ("-q", "-s", str(folder), "--invalidation-mode", "unchecked-hash")
    subprocess.run(  # noqa: S603 - an interpreter
        [python, "-m", "compileall", *options, str(folder)], check=False, capture_output=True
    )


def pack(path: Path, folder: Path, under: str = "") -> None:
    """Write a zip that depends only on its content, so that the same files give the same bytes.

    Args:
        path: path of the zip.
        folder: folder with the files.
        under: prefix of their names, such as ``python/`` in a layer.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file in _files(folder):
            entry = zipfile.ZipInfo(under + file.relative_to(folder).as_posix(), _SINCE_1980)
            entry.external_attr = (0o755 if file.suffix == ".so" else 0o644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())


def content_hash(path: Path) -> str:
    """Return 12 hex digits of a hash of a zip's names and contents.

    Of bytecode only the name counts, because interpreters may write different bytes for it.
    """
    digest = hashlib.sha256()
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            content = b"" if name.endswith(".pyc") else archive.read(name)
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:_SHORT_HASH]


def unpacked_size(path: Path) -> int:
    """Return the unpacked size of a zip in bytes."""
    with zipfile.ZipFile(path) as archive:
        return sum(entry.file_size for entry in archive.infolist())


def copy_into(source: Path, folder: Path) -> None:
    """Copy a file or a folder under its own name, without Python's cached bytecode."""
    ignored = shutil.ignore_patterns("__pycache__")
    if source.is_dir():
        shutil.copytree(source, folder / source.resolve().name, ignore=ignored, dirs_exist_ok=True)
    else:
        shutil.copy2(source, folder)


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
