import hashlib

import pytest

from web_tier.bearer import authorise
from web_tier.problems import Problem

TOKEN = "a-long-random-token"
HASH = hashlib.sha256(TOKEN.encode()).hexdigest()


@pytest.mark.parametrize("header", [f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Bearer   {TOKEN} "])
def test_the_right_token_is_let_in_and_named_by_the_start_of_its_hash(header: str) -> None:
    assert authorise(header, HASH) == HASH[:8]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN])
def test_no_token_is_refused_with_a_challenge(header: str | None) -> None:
    with pytest.raises(Problem) as caught:
        authorise(header, HASH)
    assert caught.value.status == 401
    assert caught.value.headers["WWW-Authenticate"] == 'Bearer realm="novaburst"'


@pytest.mark.parametrize("token", ["another", HASH, TOKEN.upper(), "é" * 10])
def test_a_wrong_token_is_refused_the_hash_itself_included(token: str) -> None:
    with pytest.raises(Problem) as caught:
        authorise(f"Bearer {token}", HASH)
    assert caught.value.status == 401
    assert "invalid_token" in caught.value.headers["WWW-Authenticate"]
    assert token not in caught.value.detail


def test_an_empty_token_opens_nothing_even_where_its_hash_was_configured() -> None:
    with pytest.raises(Problem) as caught:
        authorise("Bearer ", hashlib.sha256(b"").hexdigest())
    assert caught.value.status == 401


def test_without_a_configured_token_nobody_is_let_in_and_the_way_to_enable_it_is_said() -> None:
    with pytest.raises(Problem, match="NOVABURST_SCALE_TOKEN_SHA256") as caught:
        authorise(f"Bearer {TOKEN}", None)
    assert caught.value.status == 403
