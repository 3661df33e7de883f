"""Reads an image's result object from the out-bucket, whoever wrote it there."""

from typing import TYPE_CHECKING

from novaburst.bounds import MAX_RESULT_BYTES
from novaburst.contract import ContractError, Result, result_key
from novaburst.objects import ObjectTooLargeError

if TYPE_CHECKING:
    from novaburst.storage import Objects


def read_result(out_bucket: "Objects", image_id: str) -> Result:
    """The result of an image.

    Raises:
        novaburst.objects.ObjectMissingError: it has none.
        ContractError: what lies there is no result, or longer than `MAX_RESULT_BYTES`; then nothing of it was read.
        botocore.exceptions.ClientError, BotoCoreError: S3 did not answer, or refused.
    """
    try:
        body = out_bucket.get(result_key(image_id), max_bytes=MAX_RESULT_BYTES)
    except ObjectTooLargeError as error:
        raise ContractError(f"not a Result: {error}") from error
    return Result.parse(body)
