"""The tests in Chromium are those of scripts/browser."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("DYNAMO_ES_BROWSER_TESTS") else ["browser"]
