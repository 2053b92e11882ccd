"""The files that a newcomer reads first name scripts, owners and addresses that exist."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
SCRIPTS = sorted(p.name for p in (ROOT / "scripts").iterdir() if p.name[0] not in "_.")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def commands(workflow: Path) -> list[str]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_scripts_of_this_repository_only(workflow):
    for command in commands(workflow):
        script = command.removeprefix("bash ").split()[0]
        assert os.access(ROOT / script, os.X_OK) or script == ".ci/run", command
        assert (ROOT / script).is_file(), command


def test_a_release_runs_all_checks_before_it_builds():
    (workflow,) = [path for path in WORKFLOWS if path.name == "release.yml"]
    first, second = commands(workflow)
    assert first == "bash .ci/run"
    assert second.startswith("scripts/build --tag ")


@pytest.mark.parametrize("script", SCRIPTS)
def test_contributing_says_what_a_script_does(script):
    assert f"| `scripts/{script}` |" in (ROOT / "CONTRIBUTING.md").read_text()


def test_every_dependency_is_locked():
    locked = set(
        re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE)
    )
    extras = dict(PROJECT["optional-dependencies"])
    del extras["cdk"]  # scripts/cdk names its version, in an environment of its own
    groups = [PROJECT["dependencies"], *extras.values()]
    wanted = {re.split(r"[^A-Za-z0-9_.-]", line)[0].lower() for group in groups for line in group}
    normal = {re.sub(r"[-_.]+", "-", name) for name in wanted} - {"dynamo-es"}
    assert normal <= locked


def test_owners_are_given_to_what_exists():
    lines = (ROOT / ".github" / "CODEOWNERS").read_text().splitlines()
    for path in [line.split()[0] for line in lines if line.startswith("/")]:
        assert (ROOT / path.strip("/")).exists(), path


def test_the_package_links_to_source_issues_changes_and_documentation():
    urls = PROJECT["urls"]
    assert {"Documentation", "Source", "Changelog", "Issues"} <= set(urls)
    assert all(url.startswith(urls["Source"]) for url in urls.values())


def test_newcomers_find_templates_and_the_way_to_report_a_vulnerability():
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    forms = [yaml.safe_load((folder / name).read_text()) for name in ("bug.yml", "feature.yml")]
    assert all(form["name"] and form["description"] and form["body"] for form in forms)
    (contact,) = yaml.safe_load((folder / "config.yml").read_text())["contact_links"]
    assert contact["url"].startswith(PROJECT["urls"]["Source"])
    assert (ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md").exists()
    assert (ROOT / "SECURITY.md").exists()
