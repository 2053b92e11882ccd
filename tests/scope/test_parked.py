"""The tests of parked streams, with a log of each tenant."""

from tests.projections.test_parked import *  # noqa: F403
