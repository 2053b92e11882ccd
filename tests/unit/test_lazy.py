"""What a package offers loads when it is first used, so importing the package stays cheap."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import dynamo_es

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "dynamo_es",
    "dynamo_es.aws_lambda",
    "dynamo_es.observability",
    "dynamo_es.testing",
)


def printed(program):
    """Return what a program of its own process prints."""
    return subprocess.run(  # noqa: S603 - the program is written below
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.strip()


def test_public_names_are_sorted():
    names = dynamo_es.__all__

    # Constants, classes, functions: each group in the order of the alphabet.
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("package", PACKAGES)
def test_each_public_name_is_there_and_listed(package):
    module = import_module(package)

    for name in module.__all__:
        assert getattr(module, name) is not None
        assert vars(module)[name] is getattr(module, name)  # found at once from now on
    assert set(module.__all__) <= set(dir(module))
    assert dir(module) == sorted(dir(module))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_a_package_lacks_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'Nothing'"):
        import_module(package).Nothing  # noqa: B018 - looking it up is the test


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_is_listed_before_it_loads(package):
    program = (
        f"import sys, {package} as package; before = set(sys.modules); "
        "print({*package.__all__} <= {*dir(package)}, {*sys.modules} == before)"
    )
    assert printed(program) == "True True"


@pytest.mark.parametrize(
    "statement",
    [
        "import dynamo_es",
        "from dynamo_es import MemoryBackend; MemoryBackend().storage",
        "import dynamo_es.exceptions, dynamo_es.contracts, dynamo_es.values, dynamo_es.memory",
        "import dynamo_es.aws_lambda, dynamo_es.observability, dynamo_es.testing",
    ],
)
def test_import_loads_no_library(statement):
    program = (
        f"import sys; {statement}; "
        "print(*{name.partition('.')[0] for name in sys.modules} "
        "& {'boto3', 'botocore', 'moto', 'pydantic', 'tenacity', 'yaml', 'typer', 'rich'})"
    )
    assert printed(program) == ""
