"""A network that fails at random, between one worker and DynamoDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults import Fault, Network

if TYPE_CHECKING:
    from random import Random

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse
    from mypy_boto3_dynamodb import DynamoDBClient


class RandomNetwork(Network):
    """Lets a request have any fault; late ones arrive before a later one of the same worker.

    Args:
        client: whose requests it carries, from now on.
        random: what decides.
        rate: how likely each kind of fault is.
    """

    def __init__(self, client: DynamoDBClient, random: Random, rate: float) -> None:
        super().__init__(client)
        self._random = random
        self._rate = rate
        self.plan(lambda _: self._any_fault())
        self._endpoint.http_session = self

    def send(self, request: AWSPreparedRequest) -> AWSResponse:
        """Carry a request, and perhaps one that is late."""
        if self.late and self._random.random() < 0.2:
            arriving = self.late.pop(self._random.randrange(len(self.late)))
            self._session.send(arriving)
        return super().send(request)

    def close(self) -> None:
        """Close the connections; what botocore calls in the place of its session."""
        self._session.close()

    def _any_fault(self) -> Fault | None:
        kinds: list[Fault] = list(Fault)
        place = int(self._random.random() / self._rate) if self._rate else len(kinds)
        return kinds[place] if place < len(kinds) else None
