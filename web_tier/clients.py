"""The boto3 clients of one process of the web tier, made here or before the fork."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from novaburst.aws import cloudwatch_client, ec2_client, prompt_sqs_client, s3_client
from web_tier.scaling import lambda_client

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

# Connections that a client keeps: as many as threads that call AWS at once.
CONNECTIONS = 32


@dataclass(frozen=True)
class Clients:
    """One a service. Safe to share between threads."""

    s3: "S3Client"
    sqs: "SQSClient"
    ec2: "EC2Client"
    cloudwatch: "CloudWatchClient"
    functions: "LambdaClient"


_inherited: list[Clients] = []


def make() -> Clients:
    """New ones, by boto3's default session; nothing is asked of AWS yet."""
    return Clients(
        s3=s3_client(CONNECTIONS),
        sqs=prompt_sqs_client(CONNECTIONS),
        ec2=ec2_client(),
        cloudwatch=cloudwatch_client(),
        functions=lambda_client(),
    )


def inherit(clients: Clients) -> None:
    """What `own` gives from now on, in this process and those that it makes."""
    _inherited[:] = [clients]


def own() -> Clients:
    """Those that were made before the fork, else new ones."""
    return _inherited[0] if _inherited else make()
