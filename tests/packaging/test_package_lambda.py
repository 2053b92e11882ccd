"""The contents of a function's zip, from a folder that looks like an installation."""

from __future__ import annotations

import os
import runpy
import sys
import zipfile
from pathlib import Path

import pytest

from dynamo_es.cli.aws.packaging.contents import SERVICES, compile_all, content_hash, pack, prune

# It tests scripts.
pytestmark = pytest.mark.ci

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "_package_lambda.py"))

FILES = (
    "dynamo_es/__init__.py",
    "dynamo_es/dynamodb/backend.py",
    "dynamo_es/cli/__init__.py",
    "boto3/__init__.py",
    "boto3/examples/s3.rst",
    "botocore/data/endpoints.json",
    "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
    "botocore/data/dynamodb/2012-08-10/examples-1.json",
    "botocore/data/ec2/2016-11-15/service-2.json.gz",
    "pydantic_core/_pydantic_core.so",
    "pydantic_core/_pydantic_core.pyi",
    "six.py",
    "x/tests/test_x.py",
    "pydantic-2.0.dist-info/licenses/LICENSE",
    "pydantic-2.0.dist-info/METADATA",
    "pydantic-2.0.dist-info/RECORD",
    "boto3-1.0.dist-info/METADATA",
)


@pytest.fixture
def folder(tmp_path):
    for name in FILES:
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
    return tmp_path / "site"


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_only_what_a_function_reads_is_left(folder):
    prune(folder)

    assert names(folder) == {
        "dynamo_es/__init__.py",
        "dynamo_es/dynamodb/backend.py",
        "boto3/__init__.py",
        "botocore/data/endpoints.json",
        "botocore/data/dynamodb/2012-08-10/service-2.json.gz",
        "pydantic_core/_pydantic_core.so",
        "pydantic-2.0.dist-info/licenses/LICENSE",
        "pydantic-2.0.dist-info/METADATA",
        "boto3-1.0.dist-info/METADATA",
        "six.py",
    }


def test_what_the_runtime_brings_can_be_left_out(folder):
    prune(folder, without_boto3=True)

    assert names(folder) == {
        "dynamo_es/__init__.py",
        "dynamo_es/dynamodb/backend.py",
        "pydantic_core/_pydantic_core.so",
        "pydantic-2.0.dist-info/licenses/LICENSE",
        "pydantic-2.0.dist-info/METADATA",
    }


def test_every_service_that_is_called_keeps_its_data():
    assert {"dynamodb", "dynamodbstreams", "events", "kms", "sns", "sqs", "sts"} == SERVICES


def test_bytecode_is_taken_as_it_is_and_the_same_files_make_the_same_zip(folder, tmp_path):
    prune(folder)
    compile_all(folder)
    (compiled,) = folder.glob("dynamo_es/dynamodb/__pycache__/backend.*.pyc")
    assert int.from_bytes(compiled.read_bytes()[4:8], "little") == 0b01, "a hash, and unchecked"

    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    pack(first, folder, under="python/")
    for path in folder.rglob("*.py"):
        path.touch()
    pack(second, folder, under="python/")

    assert first.read_bytes() == second.read_bytes()
    assert content_hash(first) == content_hash(second)
    with zipfile.ZipFile(first) as archive:
        assert "python/dynamo_es/dynamodb/backend.py" in archive.namelist()


def test_a_start_is_measured_with_that_folder_only(folder):
    assert 0 < SCRIPT["cold_start"](folder, "import six") < 5
    with pytest.raises(Exception, match="non-zero exit status"):
        SCRIPT["cold_start"](folder, "import pydantic")


def test_a_function_of_each_transport_starts_and_answers(tmp_path):
    root = Path(__file__).parents[2]
    installed = [path for path in sys.path if path.endswith("site-packages")]
    code = Path(os.pathsep.join([str(root), *installed]))

    starts = SCRIPT["_lambda_start"].measure(code, tmp_path, None, 1)

    assert starts.keys() == {"default", "lean", "bare"}
    for (start,) in starts.values():
        assert 0 < start.call_seconds < 20
        assert start.cpu_seconds > 0
    lines = SCRIPT["_lambda_start"].lines(starts, with_client=False)
    assert "plain Python" in lines[0]
    assert len(lines) == 4
