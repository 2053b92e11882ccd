"""Versions of projections, with a log of each tenant."""

from tests.projections.test_versions import *  # noqa: F403
