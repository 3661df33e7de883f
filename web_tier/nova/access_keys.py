"""The AWS keys of the web tier's user: listed, made, switched and deleted. IAM lets a user have two."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from web_tier.nova.credentials import AccessKey
from web_tier.nova.delivery import DeliveryError, DoubtfulDeliveryError
from web_tier.nova.problem import NovaError

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

WHICH = "`sudo grep key_id /etc/novaburst/credentials` on the machine shows which key it has"


@dataclass(frozen=True)
class Held:
    """A key that IAM holds for the web tier's user."""

    id: str
    active: bool
    created: datetime

    def __str__(self) -> str:
        return f"{self.id} of {self.created:%Y-%m-%d %H:%M}" + ("" if self.active else ", switched off")


class AccessKeys:
    """The keys of one deployment's web tier. What IAM refuses is a NovaError."""

    def __init__(self, iam: "IAMClient", prefix: str, say: Callable[[str], None]) -> None:
        self._iam = iam
        self._say = say
        self.user = f"{prefix}-web"

    def held(self) -> list[Held]:
        """All that there are, good or switched off."""
        with self._asking():
            listed = self._iam.list_access_keys(UserName=self.user)["AccessKeyMetadata"]
        return [Held(key["AccessKeyId"], key["Status"] == "Active", key["CreateDate"]) for key in listed]

    @contextmanager
    def fresh(self, held: Sequence[Held]) -> Iterator[AccessKey]:
        """A new key beside those that there are, to be brought to a machine.

        It is deleted again only when a DeliveryError says that the machine has surely not taken it; whatever else
        happens it stays, as do the others.

        Raises:
            NovaError: none was made, or nobody knows whether it was taken.
        """
        key = self._make(held)
        try:
            yield key
        except DeliveryError:
            try:
                self.delete(key.id)
            except NovaError as refused:
                self._say(f"the key {key.id} is of no use and could not be deleted: {refused.text}")
            raise
        except DoubtfulDeliveryError as error:
            doubt = _doubt(key, held)
            raise NovaError(f"{error}; {doubt.text}", doubt.remedy) from error
        except BaseException:
            doubt = _doubt(key, held)
            self._say(f"{doubt.text}. {doubt.remedy}")
            raise

    def switch(self, key_id: str, *, on: bool) -> None:
        """Make a key good, or good no more."""
        with self._asking():
            self._iam.update_access_key(UserName=self.user, AccessKeyId=key_id, Status="Active" if on else "Inactive")

    def delete(self, key_id: str) -> None:
        """Delete a key, and say so."""
        with self._asking():
            self._iam.delete_access_key(UserName=self.user, AccessKeyId=key_id)
        self._say(f"deleted the key {key_id}")

    def _make(self, held: Sequence[Held]) -> AccessKey:
        with self._asking():
            try:
                made = self._iam.create_access_key(UserName=self.user)["AccessKey"]
            except self._iam.exceptions.LimitExceededException as error:
                raise NovaError(
                    f"user {self.user} has as many access keys as IAM allows: {'; '.join(map(str, held))}",
                    f"One may be of a machine that is gone. {WHICH}: `novaburst nova key --retire ID` ends one that "
                    "none has. Then run the command again.",
                ) from error
        return AccessKey(made["AccessKeyId"], made["SecretAccessKey"])

    @contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except self._iam.exceptions.NoSuchEntityException as error:
            raise NovaError(f"there is no user {self.user}", "Run `novaburst deploy` first.") from error
        except (BotoCoreError, ClientError) as error:
            raise NovaError(
                f"IAM did not answer as it should: {error}",
                f"Your own AWS key must be allowed to list, make, change and delete access keys of {self.user}.",
            ) from error


def _doubt(new: AccessKey, held: Sequence[Held]) -> NovaError:
    """What is to be known and done when nobody knows whether the machine has taken the new key."""
    good = [key.id for key in held if key.active]
    text = f"the machine may have taken the new key {new.id}, which stays good"
    if good:
        return NovaError(f"{text}, as does {' and '.join(good)}", f"{WHICH}: `novaburst nova key --retire` the other.")
    return NovaError(
        text,
        f"{WHICH}. If it has none, run the command again, which brings another key; "
        f"`novaburst nova key --retire {new.id}` then, if it is still there.",
    )
