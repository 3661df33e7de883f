import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from bench.peers.account import Account, Fate, Outcome, account
from bench.peers.kills import Killed
from bench.peers.measure import Seen, Warm
from bench.peers.novaburst.peer import PEER as OURS
from bench.peers.peer import Peer
from bench.peers.report import Missing, figures, own_cpu_ms, parts, section, wins

SECONDS = st.floats(0, 1000)
OUTCOMES = st.lists(st.builds(Outcome, st.sampled_from(Fate), SECONDS, st.integers(1, 9)))
OTHER = Peer("other", "another way", ("a page",), False, OURS.start)


def seen(peer: Peer, rate: float, lost: int = 0) -> Seen:
    what = Account(answered=100 - lost, wrong=0, lost=lost, refused=0, sent_again=1, p50=0.1, p95=0.2, slowest=3.0)
    warm = Warm(rate, what, cpu_ms={"web": 4.0, "AWS": 3.0}, client_ms=1.0, memory_mib={"web": 200.0})
    return Seen(peer, 100.0, 1.0, warm, frozenset({"AWS"}), Killed(Counter(worker=2), 0, what))


@given(OUTCOMES)
def test_every_photo_is_in_the_account_once(outcomes: list[Outcome]) -> None:
    seen = account(outcomes)
    assert seen.photos == len(outcomes)
    assert seen.lost == sum(outcome.fate is Fate.LOST for outcome in outcomes)
    assert seen.sent_again == len([outcome for outcome in outcomes if outcome.tries > 1])


def test_times_are_those_of_answered_photos_alone() -> None:
    lost = Outcome(Fate.LOST, 150.0, 1)
    assert account([lost, *(Outcome(Fate.ANSWERED, n / 10, 1) for n in range(1, 11))]).p95 == 1.0
    assert math.isnan(account([lost]).p50)


def test_what_stands_in_for_a_service_is_not_in_a_peers_own_cpu_time() -> None:
    assert own_cpu_ms(seen(OURS, 90)) == 4.0


def test_the_table_says_where_a_peer_is_better_and_nothing_where_it_only_looks_so() -> None:
    assert wins([seen(OURS, 90), seen(OTHER, 95, lost=3)], cores=2) == [
        "images/s: other 95.0, ours 90.0",
        "of the bound: other 0.95, ours 0.90",
    ]
    assert wins([seen(OURS, 90), seen(OTHER, 90.001)], cores=2) == []


def test_a_peer_that_could_not_be_measured_has_a_row_with_the_reason() -> None:
    results = [seen(OURS, 90), Missing(OTHER, "ray could not be installed")]
    grid = figures(results, cores=2)
    assert [row[0] for row in grid.rows] == ["novaburst", "other"]
    assert "ray could not be installed" in grid.markdown()
    assert {len(row) for row in grid.rows} == {len(grid.heads)}
    assert len(parts(results).rows) == 1


def test_the_section_says_how_it_was_made_and_holds_every_peer_even_those_that_are_better() -> None:
    text = section([seen(OURS, 90), seen(OTHER, 95, lost=3)], 2, "a machine", "python -m bench peers")
    assert text.startswith("## Peers on the same machine\n\n`python -m bench peers` on a machine.")
    assert "| novaburst | 90.0 | 0.90 |" in text
    assert "| other | 95.0 | 0.95 |" in text
    assert "- images/s: other 95.0, ours 90.0" in text
