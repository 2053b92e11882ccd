"""Shows values in error messages without quoting the values of an event."""

from __future__ import annotations

from typing import Final

_NUMBERS: Final = frozenset({bool, int, float})
_LONGEST: Final = 80


def shown(value: object, *kinds: type) -> str:
    """Return the text that an error message may show for a wrong argument.

    The argument may be an event, or a part of one, that was given by mistake. So the text names
    only its class, unless the value is None, a number, or an instance of one of ``kinds``.

    Args:
        value: the argument.
        kinds: classes whose values are quoted, cut to 80 characters. Give ``str`` if the argument
            must be text.
    """
    kind = type(value)
    if isinstance(value, type):
        return f"the class {value.__qualname__}"[:_LONGEST]
    if value is not None and kind not in _NUMBERS and kind not in kinds:
        return kind.__name__
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python converts
        return f"a very long {kind.__name__}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def shown_function(function: object) -> str:
    """Return the name of a function, without the arguments that it is bound to."""
    while callable(inner := getattr(function, "func", None)):  # functools.partial
        function = inner
    name = getattr(function, "__qualname__", None)
    return name if isinstance(name, str) else f"an object of the class {type(function).__name__}"
