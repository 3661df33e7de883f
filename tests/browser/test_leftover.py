"""What a page could not send before it was closed: said truly, and taken once when it is chosen again."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, Route, expect

from tests.browser.conftest import Site
from tests.browser.photos import file, photo

UPLOADS = "**/api/v1/upload*"
# So slow that a page can be closed in the middle of ten files, in bytes a second.
SLOW = 150_000


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    with browser.new_context() as context:
        yield context


@pytest.fixture
def ten(site: Site) -> list[FilePayload]:
    """Ten photos of 100 KB, which make one request."""
    names = [f"holiday {n}.png" for n in range(10)]
    site.labels |= dict.fromkeys(names, "seashore")
    return [file(name, "image/png", os.urandom(100_000)) for name in names]


def images(page: Page, site: Site) -> list[dict[str, Any]]:
    answer = requests.get(f"{site.url}/api/v1{urlsplit(page.url).path}", timeout=60)
    found: list[dict[str, Any]] = answer.json()["images"]
    return found


def sent_names(page: Page, site: Site) -> Counter[str]:
    return Counter(image["name"] for image in images(page, site) if image["state"] != "failed")


def closed_half_way(context: BrowserContext, site: Site, files: list[FilePayload]) -> tuple[Page, Counter[str]]:
    """A page that was loaded again in the middle of its upload, and what had arrived by then."""
    page = context.new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(site.url)
    network = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": SLOW}
    session = context.new_cdp_session(page)
    session.send("Network.emulateNetworkConditions", network)
    page.set_input_files("#files", files)
    page.wait_for_url("**/batches/*")
    deadline = time.monotonic() + 60
    while len(sent_names(page, site)) < 3 and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    page.reload()
    session.send("Network.emulateNetworkConditions", network | {"uploadThroughput": -1})
    # The file that was cut off is the last to be told of.
    while not any(image["state"] == "failed" for image in images(page, site)) and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    there = sent_names(page, site)
    assert 3 <= len(there) < len(files)
    return page, there


def test_a_request_that_was_cut_off_goes_on_under_its_key_so_that_no_photo_is_in_the_batch_twice(
    context: BrowserContext, site: Site, ten: list[FilePayload]
) -> None:
    page, there = closed_half_way(context, site, ten)
    expect(page.locator("#left-over")).to_contain_text(f"{10 - len(there)} files had not been sent when this page")
    page.set_input_files("#files", ten[::-1])
    expect(page.locator("#summary")).to_have_text("10 of 10 classified")
    expect(page.locator("#left-over")).to_be_hidden()
    assert sent_names(page, site) == Counter(photo["name"] for photo in ten)
    page.reload()
    expect(page.locator("#summary")).to_have_text("10 of 10 classified")
    expect(page.locator("#left-over")).to_be_hidden()


def test_of_a_request_that_was_cut_off_a_part_can_be_chosen_and_only_what_is_missing_is_sent(
    context: BrowserContext, site: Site, ten: list[FilePayload]
) -> None:
    page, there = closed_half_way(context, site, ten)
    page.set_input_files("#files", ten[:-1])
    left_over = page.locator("#left-over p")
    expect(left_over).to_contain_text(f"Left out {len(there)} files that this batch has already. 1 file had not been")
    expect(page.locator(".image.done")).to_have_count(9)
    page.reload()
    expect(left_over).to_contain_text("1 file had not been sent when this page was closed")
    page.set_input_files("#files", ten)
    expect(page.locator(".image.done")).to_have_count(10)
    assert sent_names(page, site) == Counter(photo["name"] for photo in ten)


def test_of_a_request_that_the_server_knows_no_more_only_what_is_missing_is_sent(
    context: BrowserContext, site: Site, ten: list[FilePayload]
) -> None:
    page, there = closed_half_way(context, site, ten)
    page.evaluate(
        """() => {
            const key = Object.keys(localStorage).find((key) => key.startsWith("novaburst-unsent-"));
            const yesterday = (group) => ({ ...group, made: group.made - 86_400_000 });
            localStorage.setItem(key, JSON.stringify(JSON.parse(localStorage.getItem(key)).map(yesterday)));
        }"""
    )
    page.reload()
    expect(page.locator("#left-over")).to_contain_text(f"{10 - len(there)} files had not been sent")
    page.set_input_files("#files", ten)
    expect(page.locator("#left-over")).to_contain_text(f"Left out {len(there)} files that this batch has already")
    expect(page.locator(".image.done")).to_have_count(10)
    assert sent_names(page, site) == Counter(photo["name"] for photo in ten)


def test_a_photo_of_the_same_name_and_size_as_one_of_before_is_not_taken_for_it(
    context: BrowserContext, site: Site
) -> None:
    site.labels |= {"IMG_1.png": "goose", "IMG_2.png": "yurt"}
    first, second, other = (file(f"IMG_{n}.png", "image/png", os.urandom(1000)) for n in (1, 1, 2))
    page = context.new_page()
    page.goto(site.url)
    page.set_input_files("#files", [first])
    expect(page.locator("#summary")).to_have_text("1 of 1 classified")
    page.route(UPLOADS, lambda route: route.abort())
    page.set_input_files("#files", [second, other])
    expect(page.locator("#unsent")).to_contain_text("2 files could not be sent")
    page.unroute(UPLOADS)
    page.reload()
    expect(page.locator("#left-over")).to_contain_text("2 files had not been sent")
    page.set_input_files("#files", [second])
    expect(page.locator("#summary")).to_have_text("2 of 2 classified")
    assert sent_names(page, site) == {"IMG_1.png": 2}


def test_files_that_were_changed_since_go_as_a_new_request(context: BrowserContext, site: Site) -> None:
    site.labels["IMG_1.png"] = "goose"
    before, after = (file("IMG_1.png", "image/png", os.urandom(1000)) for _ in range(2))

    def take_it_but_lose_the_answer(route: Route) -> None:
        route.fetch()
        route.abort()

    page = context.new_page()
    page.goto(site.url)
    page.route(UPLOADS, take_it_but_lose_the_answer)
    page.set_input_files("#files", [before])
    expect(page.locator("#unsent")).to_contain_text("1 file could not be sent")
    page.unroute(UPLOADS)
    page.reload()
    expect(page.locator("#summary")).to_have_text("1 of 1 classified")
    page.set_input_files("#files", [after])
    expect(page.locator("#summary")).to_have_text("2 of 2 classified")


def test_what_another_tab_is_about_to_send_is_not_left_over(context: BrowserContext, site: Site) -> None:
    site.labels |= dict.fromkeys(("one.png", "two.png", "three.png"), "goose")
    one, two, three = (photo(name, "#6b3f1d") for name in ("one.png", "two.png", "three.png"))
    sending = context.new_page()
    sending.goto(site.url)
    sending.set_input_files("#files", [one])
    expect(sending.locator("#summary")).to_have_text("1 of 1 classified")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    sending.route(UPLOADS, hold)
    sending.set_input_files("#files", [two, three])
    expect(sending.locator("#sending")).to_contain_text("2 files to go")
    looking = context.new_page()
    looking.goto(sending.url)
    expect(looking.locator("#summary")).to_have_text("1 of 1 classified")
    # Long enough for what it would say to be there.
    looking.wait_for_timeout(1500)
    expect(looking.locator("#left-over")).to_be_hidden()
    for route in held:
        route.continue_()
    expect(sending.locator("#summary")).to_have_text("3 of 3 classified")
    looking.set_input_files("#files", [photo("one.png", "#d6a52c")])
    expect(looking.locator("#summary")).to_have_text("4 of 4 classified")
    address = looking.url
    sending.close()
    looking.close(run_before_unload=True)
    later = context.new_page()
    later.goto(address)
    expect(later.locator("#summary")).to_have_text("4 of 4 classified")
    later.wait_for_timeout(1500)
    expect(later.locator("#left-over")).to_be_hidden()


def test_what_a_tab_left_over_is_said_in_all_others_until_one_of_them_has_sent_it(
    context: BrowserContext, site: Site
) -> None:
    site.labels |= dict.fromkeys(("one.png", "two.png"), "goose")
    one, two = (photo(name, "#6b3f1d") for name in ("one.png", "two.png"))
    sending = context.new_page()
    sending.goto(site.url)
    sending.set_input_files("#files", [one])
    expect(sending.locator("#summary")).to_have_text("1 of 1 classified")
    others = [context.new_page() for _ in range(2)]
    for page in others:
        page.goto(sending.url)
        expect(page.locator("#summary")).to_have_text("1 of 1 classified")
    sending.route(UPLOADS, lambda route: route.abort())
    sending.set_input_files("#files", [two])
    expect(sending.locator("#unsent")).to_contain_text("1 file could not be sent")
    for page in others:
        expect(page.locator("#left-over")).to_be_hidden()
    sending.close(run_before_unload=True)
    for page in others:
        expect(page.locator("#left-over")).to_contain_text("1 file had not been sent")
    others[0].set_input_files("#files", [two])
    expect(others[0].locator("#summary")).to_have_text("2 of 2 classified")
    for page in others:
        expect(page.locator("#left-over")).to_be_hidden()
