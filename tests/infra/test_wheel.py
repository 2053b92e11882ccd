"""The wheel holds the template, so an installed package can create tables without pyyaml."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from zipfile import ZipFile

import pytest

from dynamo_es.dynamodb.tables.template import CHECKOUT, load_template

# It tests what is installed, in processes of their own.
pytestmark = pytest.mark.ci

ROOT = CHECKOUT.parents[1]
LOAD_WITHOUT_YAML = """
import json, sys
sys.modules["yaml"] = None
sys.path.insert(0, sys.argv[1])
from dynamo_es.dynamodb.tables.template import load_template
print(json.dumps(load_template()))
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy, so that a build cannot leave anything in the real one."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "hatch_build.py"):
        shutil.copy(ROOT / name, copy)
    for name in ("README.md", "LICENSE"):
        (copy / name).touch()
    for name in ("dynamo_es", "infra"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def installed(checkout, tmp_path_factory):
    """The folder that a built wheel unpacks to."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run(  # noqa: S603 - this very interpreter
        [sys.executable, "-B", "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=checkout,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_an_installed_package_reads_the_template_without_yaml(installed):
    run = subprocess.run(  # noqa: S603 - this very interpreter
        [sys.executable, "-I", "-c", LOAD_WITHOUT_YAML, installed],
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(run.stdout) == load_template()


def test_users_find_the_templates_in_the_package(installed):
    packaged = (installed / "dynamo_es" / "infra").glob("*.yaml")
    templates = {file.name: file.read_bytes() for file in CHECKOUT.parent.glob("*.yaml")}
    assert {file.name: file.read_bytes() for file in packaged} == templates


def test_a_build_leaves_nothing_in_the_checkout(checkout, installed):
    assert installed.is_dir()
    assert not list(checkout.rglob("*.json"))
    assert not list(checkout.rglob("*.whl"))
