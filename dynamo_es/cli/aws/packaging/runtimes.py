"""Lambda's runtimes and architectures, by their names in the templates and in pip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dynamo_es.exceptions import ConfigurationError

RUNTIMES: Final = ("python3.11", "python3.12", "python3.13", "python3.14")
ARCHITECTURES: Final = ("arm64", "x86_64")
DEFAULT_RUNTIME: Final = "python3.13"
DEFAULT_ARCHITECTURE: Final = "arm64"

# The C libraries that a wheel may require: on Amazon Linux 2, and on Amazon Linux 2023.
_OLDER_LIBRARY: Final = ("2_26", "2_17")
_LIBRARY: Final = ("2_34", "2_28", "2_17")
_ON_OLDER_LINUX: Final = frozenset({"python3.11"})
_MACHINES: Final = {"arm64": "aarch64", "x86_64": "x86_64"}


@dataclass(frozen=True, slots=True)
class Target:
    """The runtime and the architecture for which a package is built.

    Attributes:
        runtime: Lambda's name, such as ``python3.13``.
        architecture: ``arm64`` or ``x86_64``.
    """

    runtime: str = DEFAULT_RUNTIME
    architecture: str = DEFAULT_ARCHITECTURE

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            raise ConfigurationError(
                f"The runtime must be one of {', '.join(RUNTIMES)}, not {self.runtime!r}."
            )
        if self.architecture not in ARCHITECTURES:
            raise ConfigurationError(
                f"The architecture must be one of {', '.join(ARCHITECTURES)}, not "
                f"{self.architecture!r}."
            )

    @property
    def python(self) -> str:
        """The version of Python, such as ``3.13``."""
        return self.runtime.removeprefix("python")

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms whose wheels run there, by pip's names, best first."""
        machine = _MACHINES[self.architecture]
        libraries = _OLDER_LIBRARY if self.runtime in _ON_OLDER_LINUX else _LIBRARY
        return (*(f"manylinux_{each}_{machine}" for each in libraries), f"manylinux2014_{machine}")
