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


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        # Browsers take such names, although they are no host names by the book.
        ("http://photo_tier", "photo_tier"),
        ("http://photo_tier:8000", "Photo_Tier:8000"),
        ("https://photo_tier.example", "photo_tier.example:443"),
        ("http://photos.example", "photos.example:80"),
        ("http://photos.example:80", "photos.example"),
        ("http://[::1]", "[::1]:80"),
    ],
)
def test_a_host_is_its_own_origin_whatever_its_name_and_with_or_without_the_schemes_port(
    origin: str, host: str
) -> None:
    assert not foreign(None, origin, host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://evil_tier", "photo_tier"),
        ("http://photo_tier", "photo_tier:8000"),
        ("http://photo_tier", "photo_tier:443"),
        ("https://photo_tier", "photo_tier:80"),
        ("http://photo_tier:8080", "photo_tier"),
        ("null", "null"),
        ("http://photos.example", None),
        ("http://photos.example", ""),
        ("http://", ""),
        ("http://:80", ":80"),
        ("null", ""),
    ],
)
def test_another_host_or_port_is_not_nor_is_any_where_the_request_names_no_host(origin: str, host: str | None) -> None:
    assert foreign(None, origin, host)


@given(st.text(), st.text())
def test_whatever_stands_there_the_question_has_an_answer_and_no_other_host_is_ours(origin: str, host: str) -> None:
    if not foreign(None, origin, host):
        assert host.lower().removesuffix(":80").removesuffix(":443") in origin.lower()


def test_only_a_browser_of_these_years_says_where_a_request_comes_from() -> None:
    assert unsaid(None, None)
    assert not unsaid(None, "null")
    assert not unsaid("same-origin", None)
