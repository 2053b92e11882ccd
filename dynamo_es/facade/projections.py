"""`Projections`: says which version of a read model is live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo_es.contracts import CheckpointStrategy


@dataclass(frozen=True, slots=True)
class Projections:
    """The projections of a backend.

    Attributes:
        checkpoints: keeps their positions and live versions.
    """

    checkpoints: CheckpointStrategy

    def live(self, name: str) -> int | None:
        """Return the live version of a projection; None if no version was promoted.

        Raises:
            InvalidConsumerError: the name cannot be part of a key.
            ServiceError: AWS refused or did not answer.

        Cost: 1 request, 1 read unit. You can cache the result for as long as readers may use the
        previous version.
        """
        found = self.checkpoints.live(name)
        return None if found is None else found.version
