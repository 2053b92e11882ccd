"""The stream browser: web pages that show the contents of an event store. Needs the extra ``ui``.

``dynamo-es ui`` starts it. In a program, `create_app` returns it as an ASGI application::

    from dynamo_es.ui import create_app, observe

    backend = DynamoBackend(DynamoConfig(..., report_capacity=True), observer=observe)
    app = create_app(backend)

Pass `observe` as the backend's observer. Then each page shows how many requests and units it cost.
"""

from dynamo_es.exceptions import MissingExtraError

try:
    import jinja2  # noqa: F401 - checks that both are installed
    import starlette  # noqa: F401
except ImportError as error:
    raise MissingExtraError("ui", "The stream browser") from error

from dynamo_es.ui.application import create_app, stop
from dynamo_es.ui.costs import observe

__all__ = ["create_app", "observe", "stop"]
