"""`Projections`: tells readers which version of a read model to use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynamo_es.contracts import CheckpointStrategy


@dataclass(frozen=True, slots=True)
class Projections:
    """The projections of a backend.

    Attributes:
        checkpoints: keeps their positions, and the pointers to their live versions.
    """

    checkpoints: CheckpointStrategy

    def live(self, name: str) -> int | None:
        """Return the live version of a projection; None: no version was promoted.

        Raises:
            InvalidConsumerError: a name that cannot be part of a key.
            ServiceError: AWS refused or did not answer.

        Cost: 1 request, a read of one unit. Keep the answer for as long as readers may use the
        version before.
        """
        found = self.checkpoints.live(name)
        return None if found is None else found.version
