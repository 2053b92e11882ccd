"""Compares the requests of all operations with the policies, and prints the table: a program."""

from __future__ import annotations

from tests.infra.policies import POLICIES, SENT_BY, refused, rows_of, unused
from tests.infra.test_access_template import TOGETHER, all_that_is_sent


def main() -> None:
    """Print the table, and how many decisions were made for each policy."""
    sent = all_that_is_sent()
    print("\n".join(rows_of(sent)))  # noqa: T201 - a command prints
    for policy in POLICIES:
        role = SENT_BY.get(policy, policy)
        calls = sent[role]
        if policy == role:
            missing = refused(TOGETHER.get(role, [role]), calls)
            line = f"{len(missing)} refused, {len(unused(policy, calls))} unused"
            print(f"{policy}: {len(calls):,} calls, {len(set(calls)):,} distinct; {line}")  # noqa: T201


if __name__ == "__main__":
    main()
