"""The settings of hypothesis for the suite."""

from typing import Final

from hypothesis import HealthCheck, settings

# Engines differ a hundredfold in speed, and a slow machine is not a failure. The examples of a test
# share one world. They do not interfere, because each one uses its own streams or tenants.
SUITE: Final = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
