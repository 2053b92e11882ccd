"""`dynamo-es package`: for the runtime that you name, with licences, and the same each time.

pip takes the packages from a folder of wheels that this test makes: nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from dynamo_es import __version__
from dynamo_es.cli.aws.packaging import building
from dynamo_es.cli.aws.packaging.building import MANIFEST, Recipe, build, read
from dynamo_es.cli.aws.packaging.contents import content_hash
from dynamo_es.cli.aws.packaging.installing import requirements
from dynamo_es.cli.aws.packaging.runtimes import Target
from dynamo_es.exceptions import ConfigurationError, DeploymentError
from tests.packaging.wheels import make_wheels

if TYPE_CHECKING:
    from pathlib import Path

# It runs pip, a second each time.
pytestmark = pytest.mark.ci

NAMES = ("boto3", "pydantic", "tenacity", "cryptography")
ARM_3_13 = Target("python3.13", "arm64")


@pytest.fixture
def wheels(tmp_path, monkeypatch):
    """A folder that pip takes all packages from."""
    folder = tmp_path / "wheels"
    make_wheels(folder)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    # Compiling takes seconds: one test does.
    monkeypatch.setattr(building, "interpreter", lambda _: None)
    return folder


def files(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {
            name: archive.read(name).decode(errors="replace")
            for name in archive.namelist()
            if not name.endswith(".pyc")
        }


@pytest.mark.parametrize(
    ("runtime", "architecture", "tag"),
    [
        ("python3.13", "arm64", "cp313-cp313-manylinux_2_17_aarch64"),
        ("python3.11", "x86_64", "cp311-cp311-manylinux_2_17_x86_64"),
    ],
)
@pytest.mark.usefixtures("wheels")
def test_a_package_holds_what_runs_on_the_runtime_that_was_named(
    tmp_path, runtime, architecture, tag
):
    built = build(Recipe(target=Target(runtime, architecture)), tmp_path)

    assert tag in files(built.path)["pydantic/__init__.py"]
    assert built.path.name == (
        f"dynamo_es-{__version__}-py{runtime[6:]}-{architecture}-{built.digest}.zip"
    )
    assert read(built.path) == built


@pytest.mark.usefixtures("wheels")
def test_a_package_holds_dynamo_es_your_code_and_every_licence_and_no_command_line(tmp_path):
    (tmp_path / "app.py").write_text("handler = 1\n")
    (tmp_path / "shop" / "tests").mkdir(parents=True)
    (tmp_path / "shop" / "tests" / "cases.py").write_text("")

    built = build(
        Recipe(target=ARM_3_13, added=(tmp_path / "app.py", tmp_path / "shop")), tmp_path / "into"
    )

    names = files(built.path)
    assert {"app.py", "shop/tests/cases.py", "dynamo_es/aws_lambda/sequencer.py"} <= names.keys()
    assert {f"{name}-99.0.dist-info/licenses/LICENSE" for name in NAMES[:3]} <= names.keys()
    assert not [name for name in names if name.startswith(("dynamo_es/cli", "dynamo_es/ui"))]
    assert not [name for name in names if name.startswith("cryptography")]
    assert json.loads(names[MANIFEST])["runtime"] == "python3.13"


@pytest.mark.usefixtures("wheels")
def test_with_the_extra_for_encryption_it_holds_what_encrypted_fields_need(tmp_path):
    built = build(Recipe(target=ARM_3_13, extras=("encryption",)), tmp_path)

    assert "manylinux_2_34_aarch64" in files(built.path)["cryptography/__init__.py"]


@pytest.mark.usefixtures("wheels")
def test_the_same_input_makes_the_same_package_and_another_input_another_name(tmp_path):
    code = tmp_path / "app.py"
    code.write_text("version = 1\n")
    recipe = Recipe(target=ARM_3_13, added=(code,))

    first, again = build(recipe, tmp_path / "1"), build(recipe, tmp_path / "2")
    code.write_text("version = 2\n")
    other = build(recipe, tmp_path / "3")

    assert first.path.name == again.path.name
    assert files(first.path) == files(again.path)
    assert other.key != first.key


def test_bytecode_that_an_interpreter_writes_differently_is_no_other_package(tmp_path):
    paths = [tmp_path / "1.zip", tmp_path / "2.zip"]
    for number, path in enumerate(paths):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("app.py", "x = 1")
            archive.writestr("__pycache__/app.cpython-313.pyc", str(number))

    assert content_hash(paths[0]) == content_hash(paths[1])


@pytest.mark.usefixtures("wheels")
def test_it_holds_bytecode_where_the_runtimes_python_is_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "interpreter", lambda _: sys.executable)

    built = build(Recipe(target=ARM_3_13), tmp_path)

    assert built.compiled
    with zipfile.ZipFile(built.path) as archive:
        assert [name for name in archive.namelist() if name.endswith(".pyc")]


def test_the_runtimes_own_boto3_can_be_used():
    assert not [each for each in requirements((), without_boto3=True) if "boto3" in each]
    assert [each for each in requirements(("encryption",)) if "cryptography" in each]


def test_an_extra_that_no_function_needs_is_refused():
    with pytest.raises(
        ConfigurationError, match=r"no extra 'cli' for functions\. Extras: encryption"
    ):
        requirements(("cli",))


def test_a_wheel_that_there_is_not_for_the_runtime_is_an_error_that_names_it(tmp_path, wheels):
    for path in wheels.glob("pydantic-99.0-cp313-*"):
        path.unlink()

    with pytest.raises(DeploymentError, match=r"python3\.13 on arm64.*pydantic"):
        build(Recipe(target=ARM_3_13), tmp_path)
    assert not list(tmp_path.glob("*.zip"))


@pytest.mark.usefixtures("wheels")
def test_a_package_that_lambda_would_refuse_is_not_built(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "MOST_BYTES", 1000)

    with pytest.raises(DeploymentError, match="Add less"):
        build(Recipe(target=ARM_3_13), tmp_path)


@pytest.mark.usefixtures("wheels")
def test_without_pip_and_uv_the_message_says_how_to_get_one(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(ConfigurationError, match="pip or uv"):
        build(Recipe(target=ARM_3_13), tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("python3.9", "arm64"), r"one of python3\.11.*not 'python3\.9'"),
        (("python3.13", "arm"), "one of arm64, x86_64, not 'arm'"),
    ],
)
def test_a_runtime_that_lambda_does_not_have_is_refused(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        Target(*arguments)


def test_runtimes_and_architectures_are_those_that_the_templates_take():
    from dynamo_es.cli.aws.deploying import template
    from dynamo_es.cli.aws.packaging import runtimes

    declared = template.load()["Parameters"]
    assert list(runtimes.RUNTIMES) == declared["Runtime"]["AllowedValues"]
    assert list(runtimes.ARCHITECTURES) == declared["Architecture"]["AllowedValues"]
    assert declared["Runtime"]["Default"] == runtimes.DEFAULT_RUNTIME
    assert declared["Architecture"]["Default"] == runtimes.DEFAULT_ARCHITECTURE


def test_a_zip_that_was_made_elsewhere_is_refused(tmp_path):
    path = tmp_path / "app.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("app.py", "")

    with pytest.raises(ConfigurationError, match="is not a package"):
        read(path)
