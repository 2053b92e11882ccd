"""A process dies at any request, with a log of each tenant."""

from tests.projections.test_parked_crashes import *  # noqa: F403
