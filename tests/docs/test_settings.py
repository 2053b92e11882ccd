"""The page of the configuration has every environment variable in one table, with its default."""

import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

import dynamo_es
from dynamo_es import DynamoConfig, environment
from dynamo_es.exceptions import ConfigurationError

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "configuration.md").read_text()
ROWS = re.findall(r"^\| (`[^|]+`) \| ([^|]*?) ?\| [^|]+ \|$", PAGE, re.MULTILINE)
FIELDS = [environment.of_field(field.name, str(field.type)) for field in fields(DynamoConfig)]


def of(variable: environment.Variable[object]) -> str:
    """Return the default that the table shows."""
    return next(shown for names, shown in ROWS if f"`{variable.name}`" in names)


def test_the_table_has_every_variable_that_the_library_reads_and_no_other():
    known = {variable.name for variable in (*FIELDS, *environment.OTHERS)}
    listed = set(re.findall(r"`([A-Z_]+)`", " ".join(f"{names} {shown}" for names, shown in ROWS)))

    assert listed == known
    assert PAGE.count("\n|---|") == 1, "one table"


def test_defaults_are_those_of_the_configuration():
    for field, variable in zip(fields(DynamoConfig), FIELDS, strict=True):
        if field.default is MISSING:
            assert of(variable) == "", field.name
        elif field.default is not None:
            text = str(field.default)
            expected = text.lower() if isinstance(field.default, bool) else text
            assert of(variable) == f"`{expected}`", field.name


def test_defaults_of_the_other_variables_are_those_of_the_module():
    for variable in environment.OTHERS:
        if variable.default not in (None, ""):
            assert of(variable) == f"`{str(variable.default).lower()}`", variable.name


def test_every_variable_of_the_module_is_among_those_that_it_lists():
    named = {one for one in vars(environment).values() if isinstance(one, environment.Variable)}

    assert named == set(environment.OTHERS)


def test_no_other_file_reads_the_environment():
    package = Path(dynamo_es.__file__).parent
    reading = re.compile(r"os\.environ|getenv")
    found = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if reading.search(path.read_text())
    }

    assert found == {"environment.py"}


def test_options_of_the_command_line_name_variables_of_the_module():
    known = {variable.name for variable in (*FIELDS, *environment.OTHERS)}
    sources = [path.read_text() for path in Path(dynamo_es.__file__).parent.rglob("*.py")]
    named = set(re.findall(r"\"(DYNAMO_ES_\w+|POWERTOOLS_\w+)\"", " ".join(sources)))

    assert "DYNAMO_ES_DEBUG" in named
    assert named <= known


@pytest.mark.parametrize(
    ("variable", "text", "wanted"),
    [
        (environment.OUTBOX_ATTEMPTS, "0", "an integer of 1 or more"),
        (environment.OUTBOX_HOURS, "0", "a number of hours above 0"),
        (environment.OUTBOX_HOURS, "inf", "a number of hours above 0"),
        (environment.OUTBOX_ATTEMPTS, "none", "an integer of 1 or more"),
        (environment.POLL_INTERVAL, "0", "a number of seconds above 0"),
        (environment.POLL_INTERVAL, "nan", "a number of seconds above 0"),
        (environment.POLL_INTERVAL, "soon", "a number of seconds above 0"),
        (environment.DEBUG, "maybe", "true or false"),
    ],
)
def test_a_value_of_another_kind_is_refused_by_the_name_of_its_variable(variable, text, wanted):
    with pytest.raises(ConfigurationError) as caught:
        variable.read({variable.name: text})
    assert str(caught.value) == f"{variable.name} must be {wanted}, not {text!r}."


def test_a_blank_variable_has_its_default():
    assert environment.OUTBOX_HOURS.read({"DYNAMO_ES_OUTBOX_HOURS": " "}) == 24
    assert environment.OUTBOX_NAME.read({}) is None
