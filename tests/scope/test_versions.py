"""Versions of projections, with a log of each tenant."""

import pytest

from tests.projections.test_versions import *  # noqa: F403

pytestmark = [pytest.mark.inline, pytest.mark.ci]  # type: ignore[assignment]
