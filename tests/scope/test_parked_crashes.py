"""A process dies at any request, with a log of each tenant."""

import pytest

from tests.engine import Capability, needs
from tests.projections.test_parked_crashes import *  # noqa: F403

pytestmark = [pytest.mark.inline, needs(Capability.CRASHES), pytest.mark.ci]
