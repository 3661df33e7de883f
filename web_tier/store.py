"""The ledger of batches and images."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from novaburst.contract import Failure, Result
from novaburst.error_codes import ErrorCode
from web_tier.database import Database
from web_tier.images import Counts, Image, State

_SELECT = (
    "SELECT id, batch, name, size, state, received, answered, code, detail, result, revision, key, queued FROM images "
)


# How far ahead a moment in the store may lie before it is no longer waited for, in seconds.
_AHEAD_SECONDS = 60.0
# Pending images by when they were last looked after, which a comparison follows. Each number of looks is a range of the
# index: none but what is due is read of a million that wait.
_LOOKED_AFTER = (
    "SELECT images.id FROM (SELECT value AS looks FROM json_each('[0,1,2,3,4,5,6]')) CROSS JOIN images"
    " WHERE (state = 'queued' OR (state = 'receiving' AND key IS NULL))"
    " AND state = ?2 AND min(checks, 6) = looks AND coalesce(checked, received)"
)
_CLAIM = (
    "UPDATE images SET checked = ?1, checks = checks + 1, received = min(received, ?1), queued = min(queued, ?1)"  # noqa: S608 # nosec B608 # no input
    f" WHERE id IN ({_LOOKED_AFTER} <= ?1 - ?3 * (1 << looks) UNION ALL {_LOOKED_AFTER} > ?1 + ?5 LIMIT ?4)"
    " RETURNING id"
)


@dataclass(frozen=True)
class News:
    """Images that changed, the oldest change first; asked for what came after `revision`, one gets what follows."""

    images: Sequence[Image]
    revision: int
    # Whether more changes are there already.
    more: bool


class Store:
    """Batches and images. Safe to share between threads; open one in each process, after the fork."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)

    def close(self) -> None:
        """Close the connections; the store is of no use afterwards."""
        self.database.close()

    def add_batch(self, batch: str, now: float) -> None:
        """Make an empty batch; one that exists stays as it is."""
        with self.database.writing() as db:
            db.execute("INSERT OR IGNORE INTO batches VALUES (?, ?)", (batch, now))

    def batch_created(self, batch: str) -> float | None:
        """When a batch was made, or None when there is no such batch."""
        with self.database.reading() as db:
            row = db.execute("SELECT created FROM batches WHERE id = ?", (batch,)).fetchone()
        return None if row is None else float(row[0])

    def add_image(self, image: Image) -> None:
        """Enter an image of an existing batch, `receiving` or `refused`."""
        failure = image.refusal
        with self.database.writing() as db:
            db.execute(
                "INSERT INTO images (id, batch, name, size, state, received, answered, code, detail, revision)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT last FROM revision))",
                (
                    *(image.id, image.batch, image.name, image.size, image.state, image.received, image.answered),
                    *((failure.code, failure.detail) if failure else (None, None)),
                ),
            )

    def reopen(self, image: Image) -> None:
        """Enter an image anew that is known already, and not queued: its upload is repeated."""
        with self.database.writing() as db:
            db.execute(
                "UPDATE images SET name = ?, size = ?, state = 'receiving', received = ?, answered = NULL, code = NULL,"
                " detail = NULL, checked = NULL, checks = 0, revision = (SELECT last FROM revision)"
                " WHERE id = ? AND state IN ('receiving', 'refused')",
                (image.name, image.size, image.received, image.id),
            )

    def mark_queued(self, ids: Sequence[str], now: float) -> None:
        """SQS has taken the requests of these images; one answered in the meantime stays answered.

        The time of one that was queued before begins again, which is no change to those who follow its batch.
        """
        with self.database.writing() as db:
            db.executemany(
                "UPDATE images SET state = 'queued', code = NULL, detail = NULL, answered = NULL, checked = NULL,"
                " checks = 0, queued = ?,"
                " revision = iif(state = 'queued', revision, (SELECT last FROM revision))"
                " WHERE id = ? AND state IN ('receiving', 'refused', 'queued')",
                [(now, image_id) for image_id in ids],
            )

    def refuse(self, image_id: str, failure: Failure, now: float, *, state: State = State.RECEIVING) -> None:
        """Give up on an image that is still in this pending state; by default, one that was not queued.

        Nothing overrules an answer, whatever state is named.
        """
        with self.database.writing() as db:
            db.execute(
                "UPDATE images SET state = 'refused', code = ?, detail = ?, answered = ?,"
                " revision = (SELECT last FROM revision)"
                " WHERE id = ? AND state = ? AND state IN ('receiving', 'queued')",
                (failure.code, failure.detail, now, image_id, state),
            )

    def record(self, results: Iterable[Result], now: float) -> int:
        """Enter results, and return how many were news: the second delivery of one changes nothing.

        A result overrules a refusal (SQS took the request and the acknowledgement was lost), and one of an image
        that this store has never seen (it was lost, or made elsewhere) brings its batch back. Only a batch that was
        deleted stays so: the objects of a late result are deleted as well.
        """
        news = 0
        with self.database.writing() as db:
            for result in results:
                if db.execute("SELECT 1 FROM deleted_batches WHERE id = ?", (result.batch,)).fetchone():
                    db.execute("INSERT OR IGNORE INTO deleted_images VALUES (?)", (result.id,))
                    continue
                db.execute("INSERT OR IGNORE INTO batches VALUES (?, ?)", (result.batch, now))
                code = result.error.code if result.error else None
                news += db.execute(
                    "INSERT INTO images (id, batch, name, size, state, received, answered, code, result, revision)"
                    " VALUES (?, ?, ?, 0, 'answered', ?, ?, ?, ?, (SELECT last FROM revision))"
                    " ON CONFLICT (id) DO UPDATE SET state = 'answered', answered = excluded.answered,"
                    " code = excluded.code, detail = NULL, result = excluded.result, revision = excluded.revision"
                    " WHERE images.state != 'answered'",
                    (result.id, result.batch, result.name, now, now, code, result.to_json()),
                ).rowcount
        return news

    def image(self, image_id: str) -> Image | None:
        """One image, or None when it is not known here."""
        found = self._images("WHERE id = ?", (image_id,))
        return found[0] if found else None

    def images(self, ids: Iterable[str]) -> dict[str, Image]:
        """Those of the images that are known, by id."""
        rows = self._images("WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(ids)),))
        return {image.id: image for image in rows}

    def changed(self, batch: str, since: int, at_most: int) -> News:
        """What changed in a batch after revision `since`: about `at_most` images, never a part of one transaction's."""
        with self.database.reading() as db:
            row = db.execute(
                "SELECT revision FROM images WHERE batch = ? AND revision > ? ORDER BY revision LIMIT 1 OFFSET ?",
                (batch, since, at_most - 1),
            ).fetchone()
        last = None if row is None else row[0]
        images = self._images(
            "WHERE batch = ?1 AND revision > ?2 AND (?3 IS NULL OR revision <= ?3) ORDER BY revision, id",
            (batch, since, last),
        )
        with self.database.reading() as db:
            more = last is not None and bool(
                db.execute("SELECT 1 FROM images WHERE batch = ? AND revision > ? LIMIT 1", (batch, last)).fetchone()
            )
        return News(images, max((image.revision for image in images), default=since), more)

    def all_of(self, batch: str, at_once: int = 500) -> Iterator[Image]:
        """Every image of a batch in the order of arrival, each as it is when its page of `at_once` is read."""
        after = ""
        while page := self._images("WHERE batch = ? AND id > ? ORDER BY id LIMIT ?", (batch, after, at_once)):
            yield from page
            after = page[-1].id

    def filling(self, batch: str) -> bool:
        """Whether images that lie under a prefix are still being added to a batch."""
        with self.database.reading() as db:
            return db.execute("SELECT 1 FROM prefixes WHERE batch = ?", (batch,)).fetchone() is not None

    def latest(self, limit: int) -> list[Image]:
        """The images answered or refused last, the newest first."""
        return self._images("WHERE answered IS NOT NULL ORDER BY answered DESC LIMIT ?", (limit,))

    def counts(self, batch: str | None = None) -> Counts:
        """Images by outcome, of one batch or of the whole store."""
        with self.database.reading() as db:
            row = db.execute("SELECT total, done, failed FROM tallies WHERE batch = ?", (batch or "",)).fetchone()
        return Counts(*(row or (0, 0, 0)))

    def answered_since(self, moment: float) -> int:
        """Images of the whole store whose result, a label or an error, came at or after that moment."""
        with self.database.reading() as db:
            row = db.execute(
                "SELECT count(*) FROM images WHERE answered >= ? AND state = 'answered'", (moment,)
            ).fetchone()
        return int(row[0])

    def forget(self, before: float, limit: int) -> int:
        """Drop up to `limit` images answered before that moment, and as many empty batches that are as old.

        How many images those were. One that is still pending stays, however old.
        """
        with self.database.reading() as db:
            old = "SELECT 1 FROM images WHERE answered < ?1 UNION ALL SELECT 1 FROM batches WHERE created < ?1 LIMIT 1"
            if not db.execute(old, (before,)).fetchone():
                return 0
        with self.database.noting() as db:
            forgotten = db.execute(
                "DELETE FROM images WHERE id IN (SELECT id FROM images WHERE answered < ? ORDER BY answered LIMIT ?)",
                (before, limit),
            ).rowcount
            db.execute(
                "DELETE FROM batches WHERE id IN (SELECT id FROM batches WHERE created < ?"
                " AND NOT EXISTS (SELECT 1 FROM images WHERE batch = batches.id)"
                " AND NOT EXISTS (SELECT 1 FROM prefixes WHERE batch = batches.id) ORDER BY created LIMIT ?)",
                (before, limit),
            )
        return forgotten

    def claim_overdue(self, state: State, now: float, after: float, limit: int) -> list[Image]:
        """Take up to `limit` images that have been in a pending state for `after` seconds, in order of their ids.

        An image taken is not given out again until twice as long has passed (at most 64 times as long), to whichever
        process asks. What was given by reference and is not queued yet is the feeder's.

        A moment in the future is of a clock that was ahead, at the boot of a machine mostly: it is put right.
        """
        with self.database.writing() as db:
            rows = db.execute(_CLAIM, (now, state, after, limit, _AHEAD_SECONDS)).fetchall()
        return sorted(self.images(row[0] for row in rows).values(), key=lambda image: image.id)

    def _images(self, where: str, parameters: Sequence[object]) -> list[Image]:
        with self.database.reading() as db:
            rows = db.execute(_SELECT + where, parameters).fetchall()
        return [_image(row) for row in rows]


class Changes:
    """Which of a set of images have an answer, asked again only after some process has written to the store."""

    def __init__(self, store: Store) -> None:
        self._connection = store.database.connect()
        self._seen: int | None = None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def happened(self) -> bool:
        """Whether anything was committed, by any process, since the last call; true at the first."""
        version = int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        changed, self._seen = version != self._seen, version
        return changed

    def answered(self, ids: Iterable[str]) -> set[str]:
        """Those of the images that wait for nothing any more; one that was deleted waits for nothing either."""
        asked = list(ids)
        with closing(
            self._connection.execute(
                "SELECT id FROM images WHERE state IN ('receiving', 'queued')"
                " AND id IN (SELECT value FROM json_each(?))",
                (json.dumps(asked),),
            )
        ) as rows:
            return set(asked) - {row[0] for row in rows}


def _image(row: Sequence[Any]) -> Image:
    image_id, batch, name, size, state, received, answered, code, detail, result, revision, key, queued = row
    return Image(
        id=image_id,
        batch=batch,
        name=name,
        size=size,
        state=State(state),
        received=received,
        answered=answered,
        refusal=Failure(code=ErrorCode(code), detail=detail or "") if state == State.REFUSED else None,
        result=None if result is None else Result.parse(result),
        revision=revision,
        key=key,
        queued=queued,
    )
