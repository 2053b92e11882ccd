"""The wheel holds the template, so an installed package can create tables without pyyaml."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from zipfile import ZipFile

import pytest

from dynamo_es.dynamodb.tables.template import CHECKOUT, load_template
from tests.packaging.wheels import make_wheels

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


@pytest.fixture
def wheels(tmp_path):
    """What dynamo_es needs, made here."""
    folder = tmp_path / "wheels"
    make_wheels(folder)
    return folder


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


def test_users_find_the_terraform_module_in_the_package(installed):
    packaged = (installed / "dynamo_es" / "infra" / "terraform").glob("*.tf")
    module = {file.name: file.read_bytes() for file in CHECKOUT.parent.glob("terraform/*.tf")}
    assert {file.name: file.read_bytes() for file in packaged} == module != {}


RUN = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from dynamo_es.cli import main
main()
"""


def run(installed, *arguments, **environ):
    """Run the command of the installed package, from elsewhere."""
    return subprocess.run(  # noqa: S603 - this very interpreter
        [sys.executable, "-c", RUN, installed, *arguments],
        cwd=installed,
        env={"PATH": os.environ["PATH"], "HOME": str(installed), **environ},
        check=False,
        capture_output=True,
        text=True,
    )


def test_the_command_of_the_package_prints_every_template(installed):
    for file in CHECKOUT.parent.glob("*.yaml"):
        printed = run(installed, "template", file.stem)
        assert printed.stdout == file.read_text(encoding="utf-8"), printed.stderr


def test_the_command_of_the_package_builds_a_package_without_the_checkout(
    installed, tmp_path, wheels
):
    done = run(
        installed,
        *("package", "--into", str(tmp_path), "--runtime", "python3.13", "--json"),
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(wheels),
    )

    assert done.returncode == 0, done.stderr
    with ZipFile(json.loads(done.stdout)["path"]) as archive:
        names = archive.namelist()
    assert "dynamo_es/aws_lambda/sequencer.py" in names
    assert "dynamo_es/infra/event-store.json" in names
    assert [name for name in names if re.fullmatch(r"dynamo_es-.*/licenses/LICENSE", name)]


def test_a_build_leaves_nothing_in_the_checkout(checkout, installed):
    assert installed.is_dir()
    assert not list(checkout.rglob("*.json"))
    assert not list(checkout.rglob("*.whl"))
