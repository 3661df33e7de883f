"""Tokens for uploads and results: who may do what, how much of it, and until when.

A token is 256 random bits, so what is kept of it is a plain SHA-256: nobody can try 2^256 of them. A password hash is
slow on purpose, against guesses at what people choose; here it would only let strangers keep the processor busy.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from novaburst.bounds import LEAST_BYTES_PER_DAY, MOST_BYTES_PER_DAY, MOST_REQUESTS_PER_MINUTE

# By its start a token is known for what it is, by people and by programs that search texts for secrets.
_START = "nbt_"
_RANDOM_BYTES = 32


class Scope(StrEnum):
    """What a token opens."""

    # Uploads, new batches, presigned forms; and the end of a batch.
    UPLOAD = "upload"
    # Results, batches, their events and files; and the latest names in the status.
    RESULTS = "results"


# Enough of a hash to tell tokens apart, and too little to be one.
_MARK_DIGITS = 16
# How a token may be called.
NAME = r"[a-z0-9][a-z0-9._-]{0,63}"


class Token(BaseModel):
    """All that is kept of a token."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
    # In hex, of its text.
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]
    created: AwareDatetime
    # None: it is good until it is revoked.
    expires: AwareDatetime | None = None
    # Requests a minute, and bytes uploaded a day; None: any number.
    per_minute: Annotated[int, Field(ge=1, le=MOST_REQUESTS_PER_MINUTE)] | None = None
    bytes_per_day: Annotated[int, Field(ge=LEAST_BYTES_PER_DAY, le=MOST_BYTES_PER_DAY)] | None = None

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires is not None and now >= self.expires


class Tokens(BaseModel):
    """The tokens of one deployment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    tokens: tuple[Token, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for what, found in (("names", self.names()), ("hashes", [token.sha256 for token in self.tokens])):
            if len(set(found)) < len(found):
                raise ValueError(f"two tokens have the same of their {what}")
        return self

    def names(self) -> list[str]:
        """The names of all tokens, in order."""
        return [token.name for token in self.tokens]

    def find(self, text: str) -> Token | None:
        """The token of this text.

        How long this takes may tell how far a hash is right, but nobody can choose a text by its hash.
        """
        sha256 = digest(text)
        return next((token for token in self.tokens if token.sha256 == sha256), None)

    def with_token(self, token: Token) -> "Tokens":
        """These and one more.

        Raises:
            ValueError: there is one of this name.
        """
        return Tokens(tokens=(*self.tokens, token))

    def without(self, names: Iterable[str]) -> "Tokens":
        """These but for those of some names."""
        gone = set(names)
        return Tokens(tokens=tuple(token for token in self.tokens if token.name not in gone))


def new_text() -> str:
    """The text of a new token; it is shown to its owner once and kept nowhere."""
    return _START + secrets.token_urlsafe(_RANDOM_BYTES)


def digest(text: str) -> str:
    """The SHA-256 of a token's text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def token_mark(token: Token) -> str:
    """What the store calls a token: never the same as another's, and a new token's of an old name is another."""
    return token.sha256[:_MARK_DIGITS]
