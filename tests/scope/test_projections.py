"""Projections of a tenant's own log are projections like any other."""

import pytest

from tests.projections.test_projections import *  # noqa: F403

# Of several tenants in one log.
del test_only_what_is_selected  # noqa: F821
# It gives the log of all tenants faults.
del test_while_it_runs_what_passes_is_waited_out  # noqa: F821

pytestmark = [pytest.mark.inline, pytest.mark.ci]  # type: ignore[assignment]
