"""The AWS resources that the web tier uses, found by name at their first use: the tier starts without them."""

from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import NoCredentialsError

from novaburst.aws import s3_client, sqs_client
from novaburst.descriptions import default_session
from novaburst.objects import Bucket
from novaburst.queues import Queue
from novaburst.settings import Settings
from novaburst.storage import Objects, Storage
from web_tier.clients import CONNECTIONS
from web_tier.skew import Skew

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient


class Deployment:
    """Buckets and queues of one prefix, with clients that are given or made here. Safe to share between threads."""

    def __init__(self, settings: Settings, s3: "S3Client | None" = None, sqs: "SQSClient | None" = None) -> None:
        self._settings = settings
        self._sqs = sqs or sqs_client(CONNECTIONS)
        s3 = s3 or s3_client(CONNECTIONS)
        # What every answer says of this machine's clock.
        self.skew = Skew()
        for client in (self._sqs, s3):
            self.skew.watch(client)
        self.in_bucket = Bucket(s3, settings.in_bucket)
        self.out_bucket = Bucket(s3, settings.out_bucket)

    @cached_property
    def quick_in_bucket(self) -> Objects:
        """The in-bucket, for objects that are in memory.

        Raises:
            botocore.exceptions.NoCredentialsError: there are none now.
        """
        try:
            # The session that the clients were made with.
            return Storage(self._settings.in_bucket, default_session())
        except ValueError as error:
            raise NoCredentialsError from error

    @cached_property
    def request_queue(self) -> Queue:
        """Images to classify."""
        return Queue(self._sqs, self._settings.request_queue)

    @cached_property
    def response_queue(self) -> Queue:
        """Notices of results."""
        return Queue(self._sqs, self._settings.response_queue)

    @cached_property
    def dead_letter_queue(self) -> Queue:
        """Requests that were received too often."""
        return Queue(self._sqs, self._settings.dead_letter_queue)

    @cached_property
    def wake_queue(self) -> Queue:
        """Messages that make the scaling Lambda evaluate."""
        return Queue(self._sqs, self._settings.wake_queue)
