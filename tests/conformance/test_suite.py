"""The conformance suite, on this project's engines."""

from dynamo_es.testing.conformance.suite import *  # noqa: F403 - the tests of every backend
