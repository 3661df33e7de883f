"""The web tier's settings, read once at start from `NOVABURST_*`."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from novaburst import presets
from novaburst.bounds import MAX_FILES_PER_UPLOAD, MAX_IMAGE_BYTES, MAX_WAIT_SECONDS, RETENTION_DAYS
from novaburst.settings import Settings, SettingsError
from scaling_lambda.settings import Settings as ScalingSettings
from scaling_lambda.settings import SettingsError as ScalingSettingsError


class WebSettings(Settings):
    """What can be set on the web tier's machine; sizes in bytes, times in seconds."""

    # Holds the store (SQLite) and the spool of uploads in progress; shared by gunicorn's workers and the listener.
    state_dir: Path = Path(".novaburst/web")
    bind: Annotated[str, StringConstraints(pattern=r"^.+:\d{1,5}$")] = "127.0.0.1:8000"
    # The longest time a client may wait inside one request; gunicorn (and nginx) derive their timeouts from it.
    max_wait_seconds: Annotated[int, Field(ge=1, le=3600)] = MAX_WAIT_SECONDS
    max_image_bytes: Annotated[int, Field(ge=1)] = MAX_IMAGE_BYTES
    max_files_per_upload: Annotated[int, Field(ge=1)] = MAX_FILES_PER_UPLOAD
    # One request body: refused before it is read. Files are bounded one by one, so this only bounds time and traffic.
    max_upload_bytes: Annotated[int, Field(ge=1)] = 4 * 1024**3
    # A waiting client holds a thread. 2 x 128 hold the course's 100 clients even when one process accepts them all.
    web_workers: Annotated[int, Field(ge=1, le=64)] = 2
    web_threads: Annotated[int, Field(ge=1, le=1024)] = 128
    # Streams of events that one process holds at once, each in a thread; whoever comes later polls.
    max_streams: Annotated[int, Field(ge=0, le=1024)] = 32
    # What the manual trigger invokes: Chalice names a function <app>-<stage>-<handler>.
    scaling_function: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_:-]{1,170}$")] = (
        "novaburst-scaling-prod-on_request"
    )
    # The SHA-256, in hex, of the token that the manual trigger asks for. None means that it is switched off.
    scale_token_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    # How long answered images stay in the store: as long as the buckets keep them (--retention-days of deploy).
    retention_days: Annotated[int, Field(ge=1, le=3650)] = RETENTION_DAYS
    # The file of tokens for uploads and results, as `novaburst token` writes it. None means that nobody needs one.
    token_file: Path | None = None
    # What nginx shows and signs with, in PEM: with both it speaks TLS. Only paths that need no quotes in its file.
    tls_certificate: Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._/+@-]+$")] | None = None
    tls_key: Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._/+@-]+$")] | None = None

    def scaling(self) -> ScalingSettings:
        """The scaling Lambda's settings as this machine's environment has them.

        Raises:
            novaburst.settings.SettingsError: one of them is wrong.
        """
        try:
            return ScalingSettings.load({**os.environ, **presets.of_the_lambda(), "NOVABURST_PREFIX": self.prefix})
        except (ScalingSettingsError, presets.PresetError) as error:
            raise SettingsError(str(error)) from error

    @property
    def max_waits(self) -> int:
        """Uploads that wait for their results in one process; whoever comes later is told at once what is pending.

        The course's clients wait in any case: they cannot ask again.
        """
        return max(1, self.web_threads // 2)

    @property
    def store_path(self) -> Path:
        """The SQLite file."""
        return self.state_dir / "store.sqlite3"

    @property
    def spool_dir(self) -> Path:
        """Where a file in upload lies once it is too large for memory; its files have no names and die with us."""
        return self.state_dir / "spool"
