"""Uploads packages and templates, each under a name derived from its content."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dynamo_es import __version__
from dynamo_es.cli.aws.deploying.cloud import ask
from dynamo_es.exceptions import DeploymentError, ServiceError

if TYPE_CHECKING:
    from dynamo_es.cli.aws.deploying.cloud import Cloud
    from dynamo_es.cli.aws.packaging.building import Package

_NOT_FOUND: Final = frozenset({"404", "NoSuchBucket", "NoSuchKey", "NotFound"})
_WITHOUT_LOCATION: Final = "us-east-1"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket of this account, with the code of functions.

    Attributes:
        name: name of the bucket.
        owner: id of the account. Requests to a bucket of another account fail.
        cloud: the clients.
    """

    name: str
    owner: str
    cloud: Cloud

    def upload_package(self, stack: str, package: Package) -> str:
        """Upload a package unless it is already there; return its key."""
        key = f"{stack}/{package.key}"
        self._put(key, package.path.read_bytes())
        return key

    def upload_template(self, stack: str, text: str, name: str = "app") -> str:
        """Upload a template unless it is already there; return its address."""
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        key = f"{stack}/{name}-{__version__}-{digest}.yaml"
        self._put(key, text.encode())
        # An emulator also takes AWS's address for its own buckets.
        address: str = self.cloud.s3.meta.endpoint_url
        if self.cloud.is_emulator:
            address = f"https://s3.{self.cloud.region}.amazonaws.com"
        return f"{address}/{self.name}/{key}"

    def _put(self, key: str, content: bytes) -> None:
        place = {"Bucket": self.name, "Key": key, "ExpectedBucketOwner": self.owner}
        if not _exists(self.cloud, "HeadObject", **place):
            ask(self.cloud.s3, "PutObject", f"{self.name}/{key}", Body=content, **place)


def open_bucket(cloud: Cloud, name: str | None) -> tuple[Bucket, bool]:
    """Return the bucket for packages, and whether it was created.

    Args:
        cloud: the clients.
        name: name of your bucket; None: the default one of the account and region, which is created
            without public access if it is missing.

    Raises:
        DeploymentError: your bucket does not exist, or belongs to another account.
        ServiceError: AWS refused or did not answer.
    """
    owner = ask(cloud.sts, "GetCallerIdentity")["Account"]
    bucket = Bucket(name or f"dynamo-es-{owner}-{cloud.region}", owner, cloud)
    if _exists(cloud, "HeadBucket", Bucket=bucket.name, ExpectedBucketOwner=owner):
        return bucket, False
    if name is not None:
        raise DeploymentError(
            f"There is no bucket {name!r} in this account. Create it, or leave out --bucket."
        )
    location = {"LocationConstraint": cloud.region}
    ask(
        cloud.s3,
        "CreateBucket",
        bucket.name,
        Bucket=bucket.name,
        **({} if cloud.region == _WITHOUT_LOCATION else {"CreateBucketConfiguration": location}),
    )
    closed = dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    ask(
        cloud.s3,
        "PutPublicAccessBlock",
        bucket.name,
        Bucket=bucket.name,
        PublicAccessBlockConfiguration=closed,
    )
    return bucket, True


def _exists(cloud: Cloud, operation: str, **place: str) -> bool:
    try:
        ask(cloud.s3, operation, place["Bucket"], **place)
    except ServiceError as error:
        if error.code in _NOT_FOUND:
            return False
        if error.code == "403":
            raise DeploymentError(
                f"The bucket {place['Bucket']!r} belongs to another account, or your role may not "
                "read it."
            ) from error
        raise
    return True
