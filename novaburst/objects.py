"""The thin module over S3: a bucket's objects, with absence as a value of its own."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# Keys that one call of S3's DeleteObjects takes.
DELETES_AT_ONCE = 1000
_ABSENT = frozenset({"404", "NoSuchKey", "NotFound"})


class ObjectMissingError(LookupError):
    """No object lies under that key."""


class ObjectTooLargeError(ValueError):
    """The object has more bytes than the caller allows."""


class NotDeletedError(RuntimeError):
    """S3 has refused to delete the objects under `keys`; the text says which first and why."""

    def __init__(self, text: str, keys: frozenset[str] = frozenset()) -> None:
        super().__init__(text)
        self.keys = keys


@dataclass(frozen=True)
class Entry:
    """One line of a listing: `size` in bytes, `modified` in seconds since the epoch."""

    key: str
    size: int
    modified: float


class Bucket:
    """One S3 bucket. Safe to share between threads, as its client is."""

    def __init__(self, client: "S3Client", name: str) -> None:
        self._client = client
        self.name = name

    def put(
        self,
        key: str,
        body: bytes | IO[bytes],
        *,
        content_type: str = "application/octet-stream",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Store an object whole; `metadata` values must be ASCII, as S3 demands."""
        self._client.put_object(
            Bucket=self.name, Key=key, Body=body, ContentType=content_type, Metadata=dict(metadata or {})
        )

    def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        """The object's bytes.

        Raises:
            ObjectMissingError: no such key.
            ObjectTooLargeError: it is longer than `max_bytes`; nothing of it was read.
        """
        try:
            response = self._client.get_object(Bucket=self.name, Key=key)
        except ClientError as error:
            if _is_absent(error):
                raise ObjectMissingError(f"s3://{self.name}/{key}") from error
            raise
        with response["Body"] as stream:
            if max_bytes is not None and response["ContentLength"] > max_bytes:
                raise ObjectTooLargeError(f"{response['ContentLength']} bytes; the limit is {max_bytes}")
            return stream.read()

    def size(self, key: str) -> int | None:
        """The length in bytes of the object under that key, or None when there is none."""
        try:
            return self._client.head_object(Bucket=self.name, Key=key)["ContentLength"]
        except ClientError as error:
            if _is_absent(error):
                return None
            raise

    def exists(self, key: str) -> bool:
        """Whether an object lies under that key."""
        return self.size(key) is not None

    def check(self) -> None:
        """Ask whether the bucket is there and may be listed: a HEAD for a key says 404 in either case.

        Raises:
            botocore.exceptions.ClientError: 404, there is no such bucket; 403, it is not this key's to list.
        """
        self._client.head_bucket(Bucket=self.name)

    def presigned_post(
        self, key: str, *, max_bytes: int, content_type: str, seconds: int
    ) -> tuple[str, dict[str, str]]:
        """The address and the form fields with which anybody can store one object of 1 to `max_bytes` bytes there.

        The file follows these fields in the form, as `file`. Signed here: nothing is asked of AWS.
        """
        post = self._client.generate_presigned_post(
            Bucket=self.name,
            Key=key,
            Fields={"Content-Type": content_type},
            Conditions=[["content-length-range", 1, max_bytes], {"Content-Type": content_type}],
            ExpiresIn=seconds,
        )
        return post["url"], post["fields"]

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, a thousand a call; one that is not there is no fault.

        Raises:
            NotDeletedError: some were not deleted; the others are gone.
        """
        refused: dict[str, str] = {}
        for start in range(0, len(keys), DELETES_AT_ONCE):
            objects = [{"Key": key} for key in keys[start : start + DELETES_AT_ONCE]]
            answer = self._client.delete_objects(Bucket=self.name, Delete={"Objects": objects, "Quiet": True})  # type: ignore[typeddict-item]
            refused |= {error.get("Key", ""): error.get("Code", "") for error in answer.get("Errors", [])}
        if refused:
            key, code = next(iter(refused.items()))
            raise NotDeletedError(f"s3://{self.name}/{key}: {code}", frozenset(refused))

    def keys(self, *, after: str = "", prefix: str = "") -> Iterator[str]:
        """Every key with that prefix that sorts after `after`, in order, by pages of a thousand."""
        return (entry.key for entry in self.entries(after=after, prefix=prefix))

    def entries(self, *, after: str = "", prefix: str = "") -> Iterator[Entry]:
        """Every object with that prefix whose key sorts after `after`, in order, by pages of a thousand."""
        listing = self._client.get_paginator("list_objects_v2")
        pages = listing.paginate(Bucket=self.name, StartAfter=after, Prefix=prefix)
        for page in pages:
            for entry in page.get("Contents", []):
                yield Entry(entry["Key"], entry["Size"], entry["LastModified"].timestamp())

    def metadata(self, key: str) -> dict[str, str] | None:
        """The user metadata of the object under that key, or None when there is none."""
        try:
            return self._client.head_object(Bucket=self.name, Key=key)["Metadata"]
        except ClientError as error:
            if _is_absent(error):
                return None
            raise


def _is_absent(error: ClientError) -> bool:
    return error.response.get("Error", {}).get("Code") in _ABSENT
