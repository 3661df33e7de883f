"""Files that could not be stored and that the page still has: the stream tells of them after the upload's answer."""

import time
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Browser, FilePayload, Locator, Page, Route, expect

from novaburst.contract import Failure, Result
from novaburst.error_codes import ErrorCode
from tests.browser.conftest import Site
from web_tier.images import Image, State, as_json
from web_tier.store import Store

UPLOADS = "**/api/v1/upload*"
NOT_STORED = Failure(code=ErrorCode.NOT_STORED, detail="the request queue did not take it")


def arriving(route: Route, image_id: str, name: str) -> Image:
    """An image of an upload that is under way."""
    [batch] = parse_qs(urlsplit(route.request.url).query)["batch"]
    return Image(image_id, batch, name, 5, State.RECEIVING, time.time())


def refused(image: Image) -> dict[str, Any]:
    return as_json(replace(image, state=State.REFUSED, refusal=NOT_STORED, answered=time.time()))


def label(image: Image, text: str) -> Result:
    return Result(id=image.id, batch=image.batch, name=image.name, label=text, score=0.6, worker="i-test")


def row(page: Page, name: str) -> Locator:
    return page.locator(".image").filter(has_text=name)


def wait_for(page: Page, routes: list[Route], count: int) -> None:
    """Until the page has made that many requests, at most a minute."""
    deadline = time.monotonic() + 60
    while len(routes) < count and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    assert len(routes) == count


def test_it_can_be_sent_again_and_what_is_told_of_it_late_changes_nothing(
    page: Page, site: Site, photos: list[FilePayload], store: Store
) -> None:
    images: list[Image] = []

    def answer(route: Route) -> None:
        images.extend(arriving(route, f"image-{n}", one["name"]) for n, one in enumerate(photos[:2]))
        route.fulfill(status=202, json={"images": [refused(images[0]), as_json(images[1])], "shortfall": None})

    page.route(UPLOADS, answer)
    page.goto(site.url)
    page.set_input_files("#files", photos[:2])
    retry = row(page, "espresso.png").get_by_role("button", name="Try again")
    expect(retry).to_be_visible()
    for image in images:
        store.add_image(image)
    store.refuse(images[0].id, NOT_STORED, time.time())
    # Told in the order in which they changed: with this one the page has heard of the other.
    store.record([label(images[1], "palace")], time.time())
    expect(row(page, "дом.png").locator(".label")).to_have_text("palace")
    expect(retry).to_be_visible()
    expect(page.locator("#unsent")).to_contain_text(
        "1 file could not be sent: espresso.png. The file could not be stored"
    )
    page.unroute(UPLOADS)
    page.locator("#unsent").get_by_role("button", name="Send again").click()
    expect(row(page, "espresso.png").locator(".label")).to_have_text("espresso")
    expect(page.locator("#unsent")).to_be_hidden()
    store.reopen(images[0])
    store.refuse(images[0].id, NOT_STORED, time.time())
    store.record([label(replace(images[1], id="another", name="another.png"), "yurt")], time.time())
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(row(page, "another.png").locator(".label")).to_have_text("yurt")
    expect(page.locator("#summary")).to_have_text("3 of 3 classified")


def test_while_it_is_sent_again_the_refusal_that_is_told_late_is_of_the_past(
    browser: Browser, site: Site, photos: list[FilePayload], store: Store
) -> None:
    routes: list[Route] = []
    # A page of its own: the browser itself writes the refusal into the console.
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(site.url)
        site.working.clear()
        page.set_input_files("#files", photos[1:2])
        expect(row(page, "дом.png").locator(".label")).to_have_text("Waiting for a worker…")

        def hold(route: Route) -> None:
            routes.append(route)

        page.route(UPLOADS, hold)
        page.set_input_files("#files", photos[:1])
        wait_for(page, routes, 1)
        image = arriving(routes[0], "taken", "espresso.png")
        routes[0].fulfill(status=503, json={"images": [refused(image)], "shortfall": None})
        espresso = row(page, "espresso.png")
        espresso.get_by_role("button", name="Try again").click()
        wait_for(page, routes, 2)
        store.add_image(image)
        store.refuse(image.id, NOT_STORED, time.time())
        site.working.set()
        expect(row(page, "дом.png").locator(".label")).to_have_text("palace")
        expect(espresso.locator(".label")).to_have_text("Sending…")
        expect(espresso.get_by_role("button", name="Try again")).to_be_hidden()
        store.reopen(image)
        routes[1].fulfill(status=202, json={"images": [as_json(image)], "shortfall": None})
        expect(espresso.locator(".label")).to_have_text("Waiting for a worker…")
        store.record([label(image, "espresso")], time.time())
        expect(page.locator("#summary")).to_have_text("2 of 2 classified")
    assert len({route.request.headers["idempotency-key"] for route in routes}) == 1
