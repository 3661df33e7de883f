from datetime import UTC, datetime

from tests.unit.web_tier.conftest import Clock
from web_tier.database import Database
from web_tier.quota import Kind, Quota
from web_tier.tokens import Scope, Token, digest

MIB = 2**20


def token(name: str = "lab", **limits: int) -> Token:
    created = datetime(2026, 11, 28, tzinfo=UTC)
    return Token.model_validate(
        {"name": name, "sha256": digest(name), "scopes": (Scope.UPLOAD,), "created": created, **limits}
    )


def rows(database: Database) -> int:
    with database.reading() as db:
        return int(db.execute("SELECT count(*) FROM quotas").fetchone()[0])


def test_all_processes_share_one_count_and_each_token_has_its_own(database: Database, clock: Clock) -> None:
    one, other = Quota(database, clock=clock), Quota(database, clock=clock)
    lab, home = token("lab", per_minute=3), token("home", per_minute=3)
    assert [quota.take(lab, Kind.REQUESTS, 1) for quota in (one, other, one, other)] == [0, 0, 0, 20]
    assert one.take(home, Kind.REQUESTS, 1) == 0
    clock.now += 20
    assert [other.take(lab, Kind.REQUESTS, 1) for _ in range(2)] == [0, 20]


def test_a_token_without_a_limit_is_not_counted(database: Database) -> None:
    quota = Quota(database)
    assert [quota.take(token(), kind, 10**12) for kind in Kind] == [0, 0]
    assert rows(database) == 0


def test_bytes_that_went_past_this_server_are_waited_for_afterwards(database: Database, clock: Clock) -> None:
    quota, lab = Quota(database, clock=clock), token(bytes_per_day=24 * MIB)
    quota.charge(lab, Kind.BYTES, 36 * MIB)
    assert quota.take(lab, Kind.BYTES, MIB) == 13 * 3600
    clock.now += 13 * 3600
    assert quota.take(lab, Kind.BYTES, MIB) == 0


def test_the_most_that_one_request_can_bring_is_still_a_number_that_the_store_holds(database: Database) -> None:
    quota, lab = Quota(database), token(bytes_per_day=MIB)
    quota.charge(lab, Kind.BYTES, 1000 * 5 * 2**30)
    assert quota.take(lab, Kind.BYTES, 1) > 86_400


def test_requests_counted_by_a_clock_that_was_ahead_are_not_waited_for(database: Database, clock: Clock) -> None:
    quota, lab = Quota(database, clock=clock), token(per_minute=2)
    clock.now += 7200
    assert [quota.take(lab, Kind.REQUESTS, 1) for _ in range(3)] == [0, 0, 30]
    clock.now -= 7200
    assert [quota.take(lab, Kind.REQUESTS, 1) for _ in range(3)] == [0, 0, 30]


def test_what_is_paid_for_leaves_nothing_behind(database: Database, clock: Clock) -> None:
    quota = Quota(database, clock=clock)
    for number in range(5):
        quota.take(token(f"revoked-{number}", per_minute=1), Kind.REQUESTS, 1)
    clock.now += 61
    quota.take(token("lab", per_minute=1), Kind.REQUESTS, 1)
    assert rows(database) == 1
