"""Puts the templates and the Terraform module into the wheel, and that of the tables as JSON too.

With the JSON, an installed package makes tables without a YAML parser. It is written to a
temporary folder, so that nothing generated lies in the checkout, where it would soon be stale.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

TEMPLATE = "infra/event-store.yaml"
PACKAGED_JSON = "dynamo_es/infra/event-store.json"
PACKAGED_YAML = "dynamo_es/infra/"
PACKAGED_MODULE = "dynamo_es/infra/terraform/"


class TemplateBuildHook(BuildHookInterface[Any]):
    """Adds the templates to a wheel; an editable install reads the checkout's own."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files before the wheel is written.

        Args:
            version: ``standard``, or ``editable``.
            build_data: what hatchling puts into the wheel.
        """
        self._folder = TemporaryDirectory()
        if version == "editable":
            return
        source = Path(self.root) / TEMPLATE
        converted = Path(self._folder.name) / "event-store.json"
        template = _parse(self.root, source.read_text(encoding="utf-8"))
        converted.write_text(json.dumps(template, indent=1) + "\n", encoding="utf-8")
        build_data["force_include"][str(converted)] = PACKAGED_JSON
        for template_file in sorted(source.parent.glob("*.yaml")):
            build_data["force_include"][str(template_file)] = PACKAGED_YAML + template_file.name
        for module_file in sorted(source.parent.glob("terraform/*.tf")):
            build_data["force_include"][str(module_file)] = PACKAGED_MODULE + module_file.name

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary folder once the wheel is written."""
        del version, build_data, artifact_path
        self._folder.cleanup()


def _parse(root: str, text: str) -> dict[str, Any]:
    # The package's own reader, so that wheel and checkout cannot differ. Importing it needs
    # neither boto3 nor anything else that a build does not have.
    sys.path.insert(0, root)
    try:
        from dynamo_es.dynamodb.tables.template import parse_yaml

        return parse_yaml(text)
    finally:
        sys.path.remove(root)
