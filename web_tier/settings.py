"""The web tier's settings, read once at start from `NOVABURST_*`."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from novaburst.bounds import MAX_FILES_PER_UPLOAD, MAX_IMAGE_BYTES, MAX_WAIT_SECONDS
from novaburst.settings import Settings


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

    @property
    def store_path(self) -> Path:
        """The SQLite file."""
        return self.state_dir / "store.sqlite3"

    @property
    def spool_dir(self) -> Path:
        """Where a file in upload lies once it is too large for memory; its files have no names and die with us."""
        return self.state_dir / "spool"
