"""What every tier's settings share: the prefix that names all resources, and a refusal that names the variable."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import StringConstraints, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from novaburst import presets

ENVIRONMENT_PREFIX = "NOVABURST_"


class SettingsError(Exception):
    """A setting that is missing or wrong; the text names its variable and what it must be."""


class Settings(BaseSettings):
    """Settings read from `NOVABURST_*`; a tier adds its own fields in a subclass of its own."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    # The prefix stands in bucket names, so it obeys their rules and leaves room for the longest suffix.
    prefix: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{1,40}$")] = "novaburst"

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Read the environment, and where it says nothing its preset; `overrides` win over both.

        Raises:
            SettingsError: a value is missing or wrong; the text names every variable at fault.
        """
        try:
            preset = {name.removeprefix(ENVIRONMENT_PREFIX).lower(): value for name, value in presets.chosen().items()}
            return cls(**{**preset, **overrides})
        except presets.PresetError as error:
            raise SettingsError(str(error)) from error
        except ValidationError as error:
            faults = []
            for e in error.errors():
                variable = f"{ENVIRONMENT_PREFIX}{'_'.join(map(str, e['loc'])).upper()}"
                # Whoever has put a token where its hash belongs must not find it in the log.
                got = "" if "TOKEN" in variable else f" (got {e['input']!r})"
                faults.append(f"{variable}: {e['msg']}{got}")
            raise SettingsError("; ".join(faults)) from error

    @property
    def in_bucket(self) -> str:
        """The bucket of uploaded images."""
        return f"{self.prefix}-in-bucket"

    @property
    def out_bucket(self) -> str:
        """The bucket of result objects."""
        return f"{self.prefix}-out-bucket"

    @property
    def request_queue(self) -> str:
        """The queue of images to classify."""
        return f"{self.prefix}-req-queue"

    @property
    def response_queue(self) -> str:
        """The queue of results."""
        return f"{self.prefix}-resp-queue"

    @property
    def dead_letter_queue(self) -> str:
        """Where SQS moves a request that was received too often."""
        return f"{self.prefix}-req-dlq"

    @property
    def wake_queue(self) -> str:
        """The queue whose messages make the scaling Lambda evaluate at once."""
        return f"{self.prefix}-wake-queue"


def require_region(environment: Mapping[str, str] = os.environ) -> str:
    """The AWS region from the standard variables.

    Raises:
        SettingsError: neither AWS_REGION nor AWS_DEFAULT_REGION is set.
    """
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    if not region:
        raise SettingsError("AWS_DEFAULT_REGION: not set; name the region, for example us-east-1")
    return region
