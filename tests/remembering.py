"""Lets moto and botocore remember, for all tests of a process, what they would work out anew."""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader
from moto.dynamodb.comparisons import ConditionExpressionParser


def remember_all() -> None:
    """Have a condition taken apart once, and a description of a service read once."""
    _remember_conditions()
    _remember_descriptions()


def _remember_conditions() -> None:
    parser: Any = ConditionExpressionParser
    take_apart = parser._lex_condition_expression

    @cache
    def nodes_of(condition: str) -> tuple[Any, ...]:
        return tuple(take_apart(parser(condition, {}, {})))

    def remembered(of: ConditionExpressionParser) -> deque[Any]:
        return deque(nodes_of(of.condition_expression or ""))

    parser._lex_condition_expression = remembered


def _remember_descriptions() -> None:
    # Each session of boto3 reads 9 MB, which take 0.1 s, and are garbage after the test.
    loader: Any = JSONFileLoader
    read = loader.load_file
    files: dict[str, Any] = {}

    def remembered(of: JSONFileLoader, path: str) -> Any:
        if path not in files:
            files[path] = read(of, path)
        return files[path]

    loader.load_file = remembered
