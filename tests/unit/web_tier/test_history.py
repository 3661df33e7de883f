from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_lambda.cost import Cost
from scaling_lambda.fleet import Action, Counts, Instance, Observation, State
from scaling_lambda.policy import Plan
from web_tier.database import Database
from web_tier.history import History, Sample, spent

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
REST = Sample(0.0, 0, 0, 0, 0, 0, 0, 0.0, 0.0)
BUSY = Sample(0.0, 5, 1, 1, 2, 3, 60, 0.3, 0.0)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "store.sqlite3")) as database:
        yield database


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


def enter(history: History, seconds: float, *, backlog: int = 0, running: int = 0, plan: Plan | None = None) -> None:
    instances = tuple(Instance(f"i-{n}", State.RUNNING, NOW) for n in range(running))
    observation = Observation(NOW + timedelta(seconds=seconds), Counts(backlog, 0, 0), instances)
    fallback = Plan(want=0, have=0, launch=0, reason="nothing to do", cost_per_hour=Cost(active=36.0 * running))
    history.enter(observation, plan or fallback, 7)


def test_samples_tell_queue_fleet_rate_and_what_the_burst_has_cost(history: History) -> None:
    enter(history, 0)
    enter(history, 60, backlog=5)
    enter(history, 65, backlog=5, running=1)
    enter(history, 75, running=2)
    assert [(s.backlog, s.running, s.images_a_minute, s.spent) for s in history.samples()] == [
        (0, 0, 7, 0.0),
        (5, 0, 7, 0.0),
        (5, 1, 7, 0.0),
        (0, 2, 7, 0.1),
    ]
    assert history.samples()[0].as_json()["at"] == "2026-11-25T12:00:00.000+00:00"


def test_a_decision_is_kept_when_its_numbers_are_new_with_its_reason(history: History) -> None:
    launch = Plan(want=2, have=0, launch=2, reason="10 waiting")
    for seconds, plan in enumerate((launch, replace(launch, reason="11 waiting"), replace(launch, launch=0, have=2))):
        enter(history, seconds, plan=plan)
    assert [(d.launch, d.reason) for d in history.decisions()] == [(0, "10 waiting"), (2, "10 waiting")]


def test_those_that_were_sent_away_make_a_decision_of_their_own_until_they_are_gone(history: History) -> None:
    sending = Plan(want=1, have=3, launch=0, reason="", leave=(Action("i-0", ""), Action("i-1", "")))
    left = replace(sending, have=1, leaving=2, leave=())
    for seconds, plan in enumerate((sending, left, replace(left, leaving=0))):
        enter(history, seconds, plan=plan)
    assert [(d.leave, d.have) for d in history.decisions()] == [(0, 1), (2, 3)]


def test_the_record_is_bounded(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web_tier.history._SAMPLES", 3)
    monkeypatch.setattr("web_tier.history._DECISIONS", 2)
    for number in range(6):
        enter(history, number, plan=Plan(want=number, have=0, launch=0, reason=""))
    assert len(history.samples()) == 3
    assert [decision.want for decision in history.decisions()] == [5, 4]


def test_samples_and_decisions_from_a_moment_on_are_told_alone_with_the_decision_that_held_then(
    history: History,
) -> None:
    for minute in range(6):
        enter(history, 60 * minute, backlog=minute, plan=Plan(want=minute // 2, have=0, launch=0, reason=""))
    since = (NOW + timedelta(minutes=3)).timestamp()
    assert [sample.backlog for sample in history.samples(since)] == [3, 4, 5]
    # The third one was made after two minutes and held until the fourth.
    assert [decision.want for decision in history.decisions(since)] == [2, 1]
    assert history.decisions(since + 3600)[0].want == 2


def test_the_latest_sample_is_known_however_old_it_is(history: History) -> None:
    assert history.latest() is None
    enter(history, 0)
    enter(history, 5, backlog=3)
    latest = history.latest()
    assert latest is not None
    assert latest.backlog == 3


def test_one_process_takes_the_sample_of_a_period(database: Database) -> None:
    one, other = History(database), History(database)
    assert [h.claim(1000.0, 60.0) for h in (one, other, one)] == [True, False, False]
    assert other.claim(1060.0, 60.0)


def test_work_that_arrives_on_a_quiet_day_is_sampled_at_the_pace_of_work(history: History) -> None:
    assert history.claim(1000.0, 60.0)
    assert not history.claim(1004.0, 5.0)
    assert history.claim(1005.0, 5.0)


def test_a_sample_by_a_clock_that_was_ahead_is_not_waited_for(history: History) -> None:
    assert history.claim(1000.0 + 7200, 60.0)
    assert [history.claim(now, 60.0) for now in (1000.0, 1001.0)] == [True, False]


def test_a_new_burst_begins_at_no_cost() -> None:
    assert spent(replace(REST, spent=3.0), replace(BUSY, at=60.0)) == 0.0
    assert spent(replace(REST, spent=3.0), replace(REST, at=60.0)) == 3.0


def test_an_unknown_price_makes_the_cost_unknown_until_the_next_burst() -> None:
    unknown = replace(BUSY, cost_per_hour=None)
    assert spent(unknown, replace(BUSY, at=5.0)) is None
    assert spent(replace(BUSY, spent=None), replace(BUSY, at=5.0)) is None
    assert spent(replace(REST, spent=None), BUSY) == 0.0


def test_time_in_which_nobody_looked_is_not_billed() -> None:
    assert spent(BUSY, replace(BUSY, at=86_400.0)) == spent(BUSY, replace(BUSY, at=120.0))


@given(st.floats(0, 1e6), st.floats(0, 100), st.floats(0, 100))
def test_the_cost_never_falls_within_a_burst(at: float, price: float, so_far: float) -> None:
    before = replace(BUSY, cost_per_hour=price, spent=so_far)
    assert (spent(before, replace(BUSY, at=at)) or 0.0) >= round(so_far, 6)
