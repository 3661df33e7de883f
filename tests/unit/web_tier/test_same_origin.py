import pytest
from hypothesis import given
from hypothesis import strategies as st

from web_tier.same_origin import foreign, unsaid

HOST = "photos.example:8000"


@pytest.mark.parametrize(
    ("fetch_site", "origin"),
    [
        (None, None),
        (None, f"http://{HOST}"),
        # A proxy with TLS stands before us.
        (None, f"https://{HOST}"),
        (None, "http://PHOTOS.example:8000"),
        ("same-origin", f"http://{HOST}"),
        # A page that sends no referrer calls its forms' origin so; the newer header knows better.
        ("same-origin", "null"),
        ("none", None),
    ],
)
def test_our_own_pages_programs_and_a_persons_own_doing_are_let_through(
    fetch_site: str | None, origin: str | None
) -> None:
    assert not foreign(fetch_site, origin, HOST)


@pytest.mark.parametrize(
    ("fetch_site", "origin"),
    [
        ("cross-site", None),
        ("cross-site", f"http://{HOST}"),
        # Another port or a subdomain is another's page.
        ("same-site", None),
        ("anything-new", None),
        ("", None),
        (None, "http://evil.example"),
        (None, "http://photos.example"),
        (None, "http://photos.example:8001"),
        (None, f"http://{HOST}.evil.example"),
        (None, f"http://evil.example/{HOST}"),
        (None, f"http://user@{HOST}"),
        (None, "null"),
        (None, ""),
        (None, "http://["),
    ],
)
def test_what_another_sites_page_sends_is_not(fetch_site: str | None, origin: str | None) -> None:
    assert foreign(fetch_site, origin, HOST)


@given(st.text(), st.text())
def test_whatever_stands_there_the_question_has_an_answer_and_no_other_host_is_ours(origin: str, host: str) -> None:
    if not foreign(None, origin, host):
        assert host.lower() in origin.lower()


def test_only_a_browser_of_these_years_says_where_a_request_comes_from() -> None:
    assert unsaid(None, None)
    assert not unsaid(None, "null")
    assert not unsaid("same-origin", None)
