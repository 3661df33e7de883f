"""Several tabs of one browser: those that nobody looks at leave the server's connections to the others."""

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect

from tests.browser.conftest import Site

# Longer than the page's longest pause between two looks at a busy fleet, in milliseconds.
A_WHILE = 4000


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as context:
        yield context


def show(page: Page, *, shown: bool) -> None:
    """Playwright takes every page for shown, so what the browser would say is said here."""
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        not shown,
    )


def test_any_number_of_tabs_with_waiting_batches_leave_room_for_one_more(
    context: BrowserContext, site: Site, photos: list[FilePayload]
) -> None:
    site.working.clear()
    # A browser opens six connections to a host.
    for _ in range(8):
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.goto(site.url)
        page.set_input_files("#files", photos[:1])
        expect(page.locator(".image.pending .label")).to_have_text("Waiting for a worker…", timeout=20_000)
        show(page, shown=False)


def test_a_hidden_tab_asks_for_nothing_and_shows_what_came_meanwhile_as_soon_as_it_is_looked_at(
    page: Page, site: Site, photos: list[FilePayload]
) -> None:
    site.working.clear()
    page.goto(site.url)
    with page.expect_response("**/events*"):
        page.set_input_files("#files", photos)
    expect(page.locator(".image.pending .label").first).to_have_text("Waiting for a worker…")
    with page.expect_event("requestfailed", lambda request: "/events" in request.url):
        show(page, shown=False)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/" in request.url else None)
    site.working.set()
    page.wait_for_timeout(A_WHILE)
    assert asked == []
    expect(page.locator("#summary")).to_contain_text("4 to go")
    show(page, shown=True)
    expect(page.locator("#summary")).to_have_text("4 of 4 classified", timeout=10_000)
    assert any("/fleet" in url for url in asked)


def test_where_there_is_no_stream_a_hidden_tab_asks_for_nothing_either(
    page: Page, site: Site, photos: list[FilePayload]
) -> None:
    site.working.clear()
    # To a browser this says: no stream here.
    page.route("**/events*", lambda route: route.fulfill(status=204))
    page.goto(site.url)
    with page.expect_response("**/api/v1/batches/*?since=*"):
        page.set_input_files("#files", photos)
    expect(page.locator(".image.pending .label").first).to_have_text("Waiting for a worker…")
    show(page, shown=False)
    # What was under way may end.
    page.wait_for_timeout(1000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/api/" in request.url else None)
    site.working.set()
    page.wait_for_timeout(A_WHILE)
    assert asked == []
    show(page, shown=True)
    expect(page.locator("#summary")).to_have_text("4 of 4 classified", timeout=10_000)


def test_an_empty_batch_holds_no_stream_and_shows_what_is_added_to_it(
    page: Page, site: Site, photos: list[FilePayload]
) -> None:
    made = requests.post(f"{site.url}/api/v1/batches", timeout=60).json()
    with page.expect_event("requestfailed", lambda request: "/events" in request.url):
        page.goto(f"{site.url}/batches/{made['batch']}")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/events" in request.url else None)
    page.wait_for_timeout(A_WHILE)
    assert asked == []
    page.set_input_files("#files", photos)
    expect(page.locator("#summary")).to_have_text("4 of 4 classified")
