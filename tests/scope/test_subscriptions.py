"""Subscriptions to a tenant's own log are subscriptions like any other."""

import pytest

from tests.subscriptions.test_subscriptions import *  # noqa: F403

# In one log of all tenants only; `tests.scope.test_tenants` has it for logs of their own.
del test_category_names_and_tenant  # noqa: F821

pytestmark = [pytest.mark.inline, pytest.mark.ci]  # type: ignore[assignment]
