"""What AWS needs before it exports an image: a bucket for it, and a role by which the service may write there."""

import importlib.resources
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from web_tier.nova.problem import NovaError

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_s3 import S3Client

# An export costs a few cents a month for as long as it lies there, in days.
_KEEP_DAYS = 7
_FLEET_TAG = "novaburst:fleet"
# The region that must not be named when a bucket is made there.
_UNNAMED_REGION = "us-east-1"


@dataclass(frozen=True)
class Place:
    """Where the exports of one deployment go, and as whom."""

    prefix: str
    region: str

    @property
    def bucket(self) -> str:
        """The bucket of exported images."""
        return f"{self.prefix}-image-exports"

    @property
    def role(self) -> str:
        """The role that the VM import/export service takes."""
        return f"{self.prefix}-image-export"


def trust_policy() -> str:
    """Who may take the role: the service alone."""
    return _document("trust-policy.json")


def role_policy(place: Place, partition: str) -> str:
    """What the service may do: read images, and write into that bucket."""
    return string.Template(_document("role-policy.json")).substitute(bucket=place.bucket, partition=partition)


def prepare(place: Place, s3: "S3Client", iam: "IAMClient") -> None:
    """Make the bucket and the role, or bring them to what they should be; done again, nothing changes.

    Raises:
        NovaError: the bucket's name is another account's.
        botocore.exceptions.ClientError, BotoCoreError: AWS refused something else.
    """
    _prepare_bucket(place, s3)
    tags = [{"Key": _FLEET_TAG, "Value": place.prefix}]
    trust = trust_policy()
    try:
        iam.create_role(RoleName=place.role, AssumeRolePolicyDocument=trust, Tags=tags)  # type: ignore[arg-type] # plain dicts
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName=place.role, PolicyDocument=trust)
    partition = s3.meta.partition
    iam.put_role_policy(RoleName=place.role, PolicyName=place.role, PolicyDocument=role_policy(place, partition))


def _prepare_bucket(place: Place, s3: "S3Client") -> None:
    try:
        if place.region == _UNNAMED_REGION:
            s3.create_bucket(Bucket=place.bucket)
        else:
            s3.create_bucket(
                Bucket=place.bucket,
                CreateBucketConfiguration={"LocationConstraint": place.region},  # type: ignore[typeddict-item] # any region
            )
    except s3.exceptions.BucketAlreadyOwnedByYou:
        pass
    except s3.exceptions.BucketAlreadyExists as error:
        raise NovaError(
            f"the bucket {place.bucket} belongs to another AWS account",
            "Bucket names are global: choose another prefix.",
        ) from error
    s3.put_public_access_block(
        Bucket=place.bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    # S3's own key: with another one an object's ETag would say nothing about its content.
    s3.put_bucket_encryption(
        Bucket=place.bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    s3.put_bucket_lifecycle_configuration(
        Bucket=place.bucket,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "exports-are-temporary",
                    "Status": "Enabled",
                    "Filter": {"Prefix": ""},
                    "Expiration": {"Days": _KEEP_DAYS},
                    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _KEEP_DAYS},
                }
            ]
        },
    )
    s3.put_bucket_tagging(Bucket=place.bucket, Tagging={"TagSet": [{"Key": _FLEET_TAG, "Value": place.prefix}]})


def _document(name: str) -> str:
    return importlib.resources.files("infra").joinpath(name).read_text()
