"""The page: HTML, style and script in one document that loads nothing else.

The content security policy names both by their hashes, so a browser runs nothing but them.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

SignIn = Literal["tenant", "token"]
"""What the page asks for: the tenant itself (on your machine), or a token with it as a claim."""

_FOLDER: Final = Path(__file__).parent


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


_STYLE: Final = _read("page.css")
_SCRIPT: Final = _read("page.js")
_PAGE: Final = (
    _read("page.html").replace("/* style */", _STYLE, 1).replace("/* script */", _SCRIPT, 1)
)

HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": (
        f"default-src 'none'; style-src {_source(_STYLE)}; script-src {_source(_SCRIPT)}; "
        "connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def page(sign_in: SignIn) -> str:
    """Return the page."""
    return _PAGE.replace('data-sign-in="tenant"', f'data-sign-in="{sign_in}"', 1)
