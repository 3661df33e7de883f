"""`novaburst rebuild`: make the web tier's store anew, or complete it, from what lies in the buckets."""

import logging
import os
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click
from botocore.exceptions import BotoCoreError, ClientError

from novaburst.settings import require_region
from novaburst.terminal import say
from web_tier.deployment import Deployment
from web_tier.integrity import StoreDamagedError, StoreError, examine, set_aside
from web_tier.logs import LineFormatter
from web_tier.rebuild import Rebuild, Report
from web_tier.settings import WebSettings
from web_tier.store import Store


@click.command("rebuild")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def rebuild_command(*, dry_run: bool) -> None:
    """Bring the web tier's store up to what the buckets hold, after it was damaged, lost or restored from a copy.

    To be called on the web tier's machine, as its user and with its settings. A damaged store is set aside first.
    It may be killed and repeated. Exit status 1 when something in the buckets could not be read.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter("%(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    settings = WebSettings.load()
    require_region()
    try:
        report = _rehearse(settings) if dry_run else _rebuild(settings)
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(f"{error}: mend this and call it again: what was entered stays") from error
    except (sqlite3.Error, OSError) as error:
        raise click.ClickException(
            f"{error}: see that the disk of {settings.state_dir} has room, and call it again: what was entered stays"
        ) from error
    say(
        f"{report.answered} results entered, {report.queued} images to be queued again, "
        f"{report.unreadable} results not readable, {report.unclaimed} uploads of no known batch"
    )
    if dry_run:
        say("nothing was done")
    if report.unreadable:
        raise click.exceptions.Exit(1)


def _rebuild(settings: WebSettings) -> Report:
    path = settings.store_path
    require_owner(settings.state_dir)
    try:
        examine(path)
    except StoreDamagedError as error:
        say(str(error).split(": ", 1)[0], err=True)
        say(f"it is set aside as {set_aside(path, f'{datetime.now(UTC):%Y%m%dT%H%M%SZ}')}", err=True)
    return _fill(path, settings)


def _rehearse(settings: WebSettings) -> Report:
    """Do all of it to a copy of the store that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / settings.store_path.name
        try:
            examine(settings.store_path)
        except StoreDamagedError as error:
            say(f"{error}; it would be set aside", err=True)
        else:
            if settings.store_path.exists():
                with closing(sqlite3.connect(settings.store_path)) as now, closing(sqlite3.connect(copy)) as then:
                    now.backup(then)
        return _fill(copy, settings)


def _fill(path: Path, settings: WebSettings) -> Report:
    deployment = Deployment(settings)
    with closing(Store(path)) as store:
        return Rebuild(store, deployment.in_bucket, deployment.out_bucket).run(lambda words: say(words, err=True))


def require_owner(folder: Path) -> None:
    """See that what is made in a folder will belong to who works there.

    Raises:
        StoreError: somebody else owns it, as when root calls this.
    """
    if folder.exists() and (owner := folder.stat().st_uid) != os.geteuid():
        raise StoreError(
            f"{folder} belongs to user {owner}: call this as that user, or the web tier could not write it"
        )
