"""Stores that several test files use."""

from __future__ import annotations

import pytest

from tests.log.stores import emulated, store_on


@pytest.fixture
def store(request):
    """A store on each engine at hand: the file sets ``pytest_generate_tests``."""
    with store_on(request.param, request) as store:
        yield store


@pytest.fixture
def emulator():
    """A store in this process."""
    with emulated() as store:
        yield store
