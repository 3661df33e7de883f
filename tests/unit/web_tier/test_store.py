import multiprocessing
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from novaburst.contract import Failure, Guess, Result
from novaburst.error_codes import ErrorCode
from tests.query_plans import full_scans, watched
from web_tier.batches import Batches
from web_tier.images import Counts, Image, State, outcome
from web_tier.store import Changes, News, Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "store.sqlite3")
    store.add_batch("batch", 1.0)
    yield store
    store.close()


def image(image_id: str = "a", **changes: object) -> Image:
    fresh = Image(id=image_id, batch="batch", name="cat.jpg", size=9, state=State.RECEIVING, received=100.0)
    return replace(fresh, **changes)  # type: ignore[arg-type]


def label(image_id: str = "a", text: str = "cat", batch: str = "batch") -> Result:
    guesses = (Guess(label=text, score=0.9),)
    return Result(id=image_id, batch=batch, name="cat.jpg", label=text, score=0.9, top5=guesses, worker="i-1")


def error(image_id: str = "a") -> Result:
    failure = Failure(code=ErrorCode.DAMAGED_IMAGE, detail="cut short")
    return Result(id=image_id, batch="batch", name="cat.jpg", error=failure, worker="i-1")


def known(store: Store, image_id: str = "a") -> Image:
    found = store.image(image_id)
    assert found is not None
    return found


def test_an_image_goes_from_receiving_to_queued_to_answered(store: Store) -> None:
    store.add_image(image())
    assert known(store) == image(revision=known(store).revision)
    store.mark_queued(["a"], 101.0)
    assert known(store).state is State.QUEUED
    assert store.record([label()], 105.0) == 1
    answered = known(store)
    assert (answered.state, answered.answered, answered.result) == (State.ANSWERED, 105.0, label())
    assert outcome(answered) == "done"


def test_a_result_delivered_twice_is_news_once(store: Store) -> None:
    store.add_image(image())
    assert store.record([label(), label()], 1.0) == 1
    revision = known(store).revision
    assert store.record([label()], 2.0) == 0
    assert (known(store).revision, known(store).answered) == (revision, 1.0)


def test_an_answered_image_is_not_queued_again_by_a_late_mark(store: Store) -> None:
    store.add_image(image())
    store.record([label()], 1.0)
    store.mark_queued(["a"], 101.0)
    assert known(store).state is State.ANSWERED


def test_the_time_of_an_image_that_is_queued_again_begins_anew_and_those_who_follow_it_hear_nothing(
    store: Store,
) -> None:
    store.add_image(image())
    assert known(store).waiting_since == 100.0
    store.mark_queued(["a"], 101.0)
    queued = known(store)
    store.mark_queued(["a"], 500.0)
    assert (queued.waiting_since, known(store)) == (101.0, replace(queued, queued=500.0))


def test_a_refused_image_keeps_its_reason_until_a_result_overrules_it(store: Store) -> None:
    failure = Failure(code=ErrorCode.NOT_STORED, detail="the queue")
    store.add_image(image())
    store.refuse("a", failure, 5.0)
    assert known(store).failure == failure
    assert outcome(known(store)) == "failed"
    store.record([label()], 6.0)
    assert (known(store).failure, outcome(known(store))) == (None, "done")


def test_a_result_of_an_unknown_image_brings_its_batch_back(store: Store) -> None:
    store.record([label("z", batch="lost")], 7.0)
    assert store.batch_created("lost") == 7.0
    assert [found.id for found in store.all_of("lost")] == ["z"]


def test_an_image_needs_its_batch(store: Store) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        store.add_image(image(batch="none"))
    store.add_image(image())


def test_a_batch_counts_its_outcomes(store: Store) -> None:
    for image_id in "abcd":
        store.add_image(image(image_id))
    store.record([label("a"), error("b")], 1.0)
    store.refuse("c", Failure(code=ErrorCode.NOT_STORED), 1.0)
    assert store.counts("batch").as_json() == {"total": 4, "done": 1, "failed": 2, "pending": 1}
    assert store.counts().total == 4
    assert store.counts("other").total == 0


def test_a_batch_can_be_asked_for_what_changed_since_a_revision(store: Store) -> None:
    for image_id in "abc":
        store.add_image(image(image_id))
    seen = store.changed("batch", 0, 10)
    assert [found.id for found in seen.images] == ["a", "b", "c"]
    assert store.changed("batch", seen.revision, 10) == News([], seen.revision, more=False)
    store.record([label("b")], 1.0)
    assert [found.id for found in store.changed("batch", seen.revision, 10).images] == ["b"]


def test_changes_come_in_pages_that_never_part_the_images_of_one_transaction(store: Store) -> None:
    for image_id in "abcdefg":
        store.add_image(image(image_id))
    store.record([label(image_id) for image_id in "bcd"], 1.0)
    pages, since, more = [], 0, True
    while more:
        news = store.changed("batch", since, 2)
        pages.append("".join(found.id for found in news.images))
        since, more = news.revision, news.more
    assert pages == ["ae", "fg", "bcd"]


def test_all_images_of_a_batch_are_read_page_by_page_in_the_order_of_arrival(store: Store) -> None:
    for image_id in "abcde":
        store.add_image(image(image_id))
    store.record([label("b")], 1.0)
    assert "".join(found.id for found in store.all_of("batch", at_once=2)) == "abcde"


def test_the_latest_answers_come_first(store: Store) -> None:
    for number, image_id in enumerate("abc"):
        store.add_image(image(image_id))
        store.record([label(image_id)], float(number))
    assert [found.id for found in store.latest(2)] == ["c", "b"]


def test_an_overdue_image_is_given_to_one_asker_and_later_again_with_growing_pauses(store: Store) -> None:
    store.add_image(image())

    def claimed(now: float) -> list[str]:
        return [found.id for found in store.claim_overdue(State.RECEIVING, now, 10.0, 5)]

    assert claimed(109.0) == []
    assert claimed(110.0) == ["a"]
    assert claimed(110.0) == []
    assert claimed(129.0) == []
    assert claimed(130.0) == ["a"]
    assert claimed(169.0) == []
    assert claimed(170.0) == ["a"]
    assert store.claim_overdue(State.QUEUED, 999.0, 10.0, 5) == []


def test_an_image_looked_after_by_a_clock_that_was_ahead_is_looked_after_again(store: Store) -> None:
    """A machine that takes its hardware clock's local time for UTC is hours ahead until NTP sets it."""
    store.add_image(image("a"))
    store.add_image(image("b", received=100.0 + 7200))
    assert [found.id for found in store.claim_overdue(State.RECEIVING, 150.0 + 7200, 10.0, 5)] == ["a", "b"]
    claimed = store.claim_overdue(State.RECEIVING, 200.0, 10.0, 5)
    assert [(found.id, found.received) for found in claimed] == [("a", 100.0), ("b", 200.0)]
    assert store.claim_overdue(State.RECEIVING, 201.0, 10.0, 5) == []


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    first = Store(tmp_path / "s.sqlite3")
    first.add_batch("batch", 1.0)
    first.add_image(image())
    first.close()
    again = Store(tmp_path / "s.sqlite3")
    assert known(again).name == "cat.jpg"
    again.close()


def _write(path: Path, prefix: str, count: int) -> None:
    store = Store(path)
    store.add_batch("batch", 1.0)
    for number in range(count):
        store.add_image(image(f"{prefix}{number}"))
        store.record([label(f"{prefix}{number}")], 1.0)
    store.close()


def test_processes_write_at_once_and_every_change_has_a_revision_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    spawning = multiprocessing.get_context("spawn")
    writers = [spawning.Process(target=_write, args=(path, prefix, 100)) for prefix in "xyz"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    store = Store(path)
    found = list(store.all_of("batch"))
    assert len(found) == 300
    assert len({one.revision for one in found}) == 300
    store.close()


def test_a_change_by_another_process_is_noticed_and_silence_costs_no_query(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite3"
    store = Store(path)
    changes = Changes(store)
    assert changes.happened()
    assert not changes.happened()
    writer = multiprocessing.get_context("spawn").Process(target=_write, args=(path, "x", 1))
    writer.start()
    writer.join(60)
    assert changes.happened()
    store.add_image(image("y"))
    assert changes.answered(["x0", "y"]) == {"x0"}
    changes.close()
    store.close()


def test_a_failed_write_leaves_nothing_behind_and_the_store_usable(store: Store) -> None:
    store.add_image(image())
    for _ in range(10):
        with pytest.raises(sqlite3.IntegrityError):
            store.add_image(image())
    started = time.monotonic()
    store.add_image(image("b"))
    assert time.monotonic() - started < 1


def test_what_is_older_than_the_buckets_keep_it_is_forgotten_a_few_at_a_time(store: Store) -> None:
    for number, image_id in enumerate("abcd"):
        store.add_image(image(image_id))
        store.record([label(image_id)], 100.0 + number)
    store.add_image(image("pending"))
    assert [store.forget(103.0, 2) for _ in range(3)] == [2, 1, 0]
    assert [found.id for found in store.all_of("batch")] == ["d", "pending"]
    assert store.counts("batch").as_json() == store.counts().as_json()
    assert store.counts().as_json() == {"total": 2, "done": 1, "failed": 0, "pending": 1}


def test_a_batch_is_forgotten_once_it_is_old_and_empty(store: Store) -> None:
    store.add_image(image())
    store.record([label()], 100.0)
    store.add_batch("old and empty", 50.0)
    store.add_batch("new and empty", 1000.0)
    store.forget(100.0, 10)
    assert [store.batch_created(batch) for batch in ("batch", "old and empty", "new and empty")] == [1.0, None, 1000.0]
    store.forget(101.0, 10)
    store.forget(101.0, 10)
    assert store.batch_created("batch") is None


@pytest.mark.parametrize("state", State)
def test_no_refusal_overrules_an_answer(store: Store, state: State) -> None:
    store.add_image(image("a"))
    store.record([error("a")], 4.0)
    store.refuse("a", Failure(code=ErrorCode.NOT_STORED), 5.0, state=state)
    store.mark_queued(["a"], 101.0)
    assert store.image("a").state is State.ANSWERED  # type: ignore[union-attr] # it is there
    assert store.counts().as_json() == {"total": 1, "done": 0, "failed": 1, "pending": 0}


class Tallies(RuleBasedStateMachine):
    """Whatever is done to images, the counts that are kept are those that counting gives."""

    images = st.sampled_from("abcdef")
    batches = st.sampled_from(["x", "y"])

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self.store = Store(Path(self._folder.name) / "store.sqlite3")
        self.deleted = Batches(self.store.database, None, None)  # type: ignore[arg-type] # no bucket is touched
        self._watching = watched()
        self._statements = self._watching.__enter__()

    def teardown(self) -> None:
        self._watching.__exit__(None, None, None)
        self.store.close()
        self._folder.cleanup()
        assert full_scans(self._statements) == set()

    @rule(name=images, batch=batches, refused=st.booleans())
    def enter(self, name: str, batch: str, refused: bool) -> None:
        refusal = Failure(code=ErrorCode.EMPTY_FILE) if refused else None
        state = State.REFUSED if refused else State.RECEIVING
        self.store.add_batch(batch, 1.0)
        if self.store.image(name) is None:
            self.store.add_image(
                image(name, batch=batch, state=state, refusal=refusal, answered=2.0 if refused else None)
            )
        else:
            self.store.reopen(image(name, batch=batch))

    @rule(name=images)
    def queue(self, name: str) -> None:
        self.store.mark_queued([name], 101.0)

    @rule(name=images, state=st.sampled_from(State))
    def refuse(self, name: str, state: State) -> None:
        self.store.refuse(name, Failure(code=ErrorCode.NOT_STORED), 3.0, state=state)

    @rule(name=images, batch=batches, failed=st.booleans(), at=st.floats(4, 9))
    def record(self, name: str, batch: str, failed: bool, at: float) -> None:
        known = self.store.image(name)
        found = error(name) if failed else label(name)
        self.store.record([found.model_copy(update={"batch": known.batch if known else batch})], at)

    @rule(before=st.floats(0, 10), limit=st.integers(1, 3))
    def forget(self, before: float, limit: int) -> None:
        self.store.forget(before, limit)

    @rule(state=st.sampled_from([State.RECEIVING, State.QUEUED]), now=st.floats(0, 1000))
    def look_after(self, state: State, now: float) -> None:
        self.store.claim_overdue(state, now, 5.0, 3)

    @rule(batch=batches)
    def delete(self, batch: str) -> None:
        self.deleted.delete(batch)

    @invariant()
    def counts_are_right(self) -> None:
        known = {found.id: found for batch in ("x", "y") for found in self.store.all_of(batch)}
        listed = {batch.id: batch.counts for batch in self.deleted.list(10)}
        for batch, counts in [*listed.items(), (None, self.store.counts())]:
            of = [found for found in known.values() if batch in {None, found.batch}]
            failed = sum(found.failure is not None for found in of)
            assert counts == Counts(len(of), sum(not found.pending for found in of) - failed, failed)
            assert counts == self.store.counts(batch)


TestTallies = Tallies.TestCase
TestTallies.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


def test_changes_are_looked_for_by_their_ids(store: Store) -> None:
    seen: list[str] = []
    changes = Changes(store)
    changes._connection.set_trace_callback(seen.append)
    changes.answered(["a"])
    changes.close()
    assert len(seen) == 1
    assert full_scans(seen) == set()
