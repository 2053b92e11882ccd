"""A tenant's own log is a log like any other: tests of the log, run on one.

Left out are tests of several tenants in one log; `tests.scope.test_tenants` has them for logs of
their own.
"""

from dynamo_es.testing.conformance.suite import TestLog as OfTheLog
from dynamo_es.testing.conformance.suite import TestPositions as OfPositions


class TestLog(OfTheLog):  # type: ignore[misc]
    test_selections = None
    test_streams_of_a_category = None
    test_tenants_and_their_categories_are_listed = None


class TestPositions(OfPositions):  # type: ignore[misc]
    test_tenants_share_one_log = None
