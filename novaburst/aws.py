"""boto3 clients as every tier makes them: bounded waits, standard retries, a connection pool as wide as its threads.

The endpoint, the region and the credentials come from the standard `AWS_*` variables, an instance profile or a
profile file; nothing here knows which AWS answers.
"""

from typing import TYPE_CHECKING

from botocore.config import Config

from novaburst.bounds import LONG_POLL_SECONDS
from novaburst.descriptions import default_session

if TYPE_CHECKING:
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_iam import IAMClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient


def config(connections: int = 16) -> Config:
    """The botocore configuration for clients shared by up to `connections` threads."""
    return Config(
        max_pool_connections=connections,
        connect_timeout=5,
        read_timeout=LONG_POLL_SECONDS + 10,
        retries={"mode": "standard", "total_max_attempts": 5},
        tcp_keepalive=True,
    )


def s3_client(connections: int = 16) -> "S3Client":
    """An S3 client; create it once at start, not in a thread."""
    return default_session().client("s3", config=config(connections))


def sqs_client(connections: int = 16) -> "SQSClient":
    """An SQS client; create it once at start, not in a thread."""
    return default_session().client("sqs", config=config(connections))


def prompt_sqs_client(connections: int = 16) -> "SQSClient":
    """An SQS client for those who never wait for messages, while people wait for them: it gives up after 20 s."""
    prompt = Config(read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2})
    return default_session().client("sqs", config=config(connections).merge(prompt))


def ec2_client(connections: int = 4) -> "EC2Client":
    """An EC2 client; create it once at start, not in a thread."""
    return default_session().client("ec2", config=config(connections))


def cloudwatch_client() -> "CloudWatchClient":
    """A CloudWatch client; create it once at start, not in a thread. Nobody waits long for metrics."""
    quick = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})
    return default_session().client("cloudwatch", config=config().merge(quick))


def iam_client() -> "IAMClient":
    """An IAM client; create it once at start, not in a thread."""
    return default_session().client("iam", config=config())
