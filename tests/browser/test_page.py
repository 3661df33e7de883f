"""The upload page in a real browser, before a real gunicorn."""

import csv
import json
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FilePayload, Page, expect

from scaling_lambda.fleet import Counts, Observation
from scaling_lambda.policy import Plan
from tests.browser.conftest import SHOTS, Site
from tests.browser.photos import file, photo
from web_tier.database import Database
from web_tier.history import History
from web_tier.settings import WebSettings


def upload(page: Page, site: Site, files: list[FilePayload]) -> None:
    page.goto(site.url)
    page.set_input_files("#files", files)


def test_uploaded_photos_show_their_labels_and_the_batch_reopens_at_its_address(
    page: Page, site: Site, photos: list[FilePayload]
) -> None:
    upload(page, site, [*photos, file("notes.txt", "text/plain", b"no image"), file("empty.png", "image/png", b"")])
    expect(page.locator("#summary")).to_have_text("4 of 6 classified · 2 without a label")
    expect(page.locator(".image.done .label")).to_have_text(["espresso", "palace", "snail", "daisy"])
    expect(page.locator(".image.done .score").first).to_have_text("87 %")
    expect(page.locator(".image.failed .error").nth(0)).to_contain_text("convert it to JPEG or PNG")
    expect(page.locator(".image.failed .error").nth(1)).to_contain_text("The file has no bytes")
    assert re.search(r"/batches/[0-9a-f-]{36}$", page.url)
    page.screenshot(path=SHOTS / "results.png", full_page=True)
    page.reload()
    expect(page.locator(".image.done")).to_have_count(4)
    # Requests run side by side, so the order of arrival need not be that of the choice.
    assert sorted(page.locator(".image.done .label").all_text_contents()) == ["daisy", "espresso", "palace", "snail"]
    expect(page.locator("#summary")).to_have_text("4 of 6 classified · 2 without a label")


def test_results_arrive_while_the_page_is_open_without_a_reload(
    page: Page, site: Site, photos: list[FilePayload]
) -> None:
    site.working.clear()
    upload(page, site, photos)
    expect(page.locator(".image.pending .label")).to_have_text(["Waiting for a worker…"] * 4)
    expect(page.locator("#summary")).to_have_text("0 of 4 classified · 4 to go")
    # Whoever waits sees what for, and on pointing at it why.
    expect(page.locator("#fleet-line")).to_contain_text("None running · 1 more wanted")
    expect(page.locator("#fleet-line")).to_have_attribute("title", re.compile(r"waiting.* 1 wanted by proportional"))
    page.screenshot(path=SHOTS / "waiting.png", full_page=True)
    site.working.set()
    expect(page.locator(".image.done")).to_have_count(4)
    expect(page.locator("#overall")).to_have_js_property("position", 1)


def test_the_charts_keep_what_the_page_does_not_ask_for_again(page: Page, site: Site, settings: WebSettings) -> None:
    began = datetime.now(UTC)
    with closing(Database(settings.store_path)) as database:
        with database.writing() as db:
            db.execute("DELETE FROM samples")
        for minutes, backlog in ((40, 987), (0, 1)):
            seen = Observation(began - timedelta(minutes=minutes), Counts(backlog, 0, 0), ())
            History(database).enter(seen, Plan(want=1, have=0, launch=1, reason="played"), 0)
    page.goto(site.url)
    chart = page.locator("#charts svg").first
    expect(chart).to_have_attribute("aria-label", re.compile("at most 987 in this time"))
    with page.expect_response("**/api/v1/fleet?minutes=*") as again:
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    told = [sample["backlog"] for sample in again.value.json()["history"]["samples"]]
    assert 987 not in told
    page.locator("#fleet-panel").evaluate("panel => panel.open = true")
    page.screenshot(path=SHOTS / "fleet.png", full_page=True)
    expect(chart).to_have_attribute("aria-label", re.compile("at most 987 in this time"))


def test_the_other_guesses_open_and_both_downloads_hold_the_batch(
    page: Page, site: Site, photos: list[FilePayload]
) -> None:
    upload(page, site, photos[:2])
    expect(page.locator(".image.done")).to_have_count(2)
    page.locator(".more summary").first.click()
    expect(page.locator(".top5").first).to_contain_text("small espresso")
    with page.expect_download() as download:
        page.click("#csv")
    rows = list(csv.DictReader(Path(download.value.path()).read_text("utf-8-sig").splitlines()))
    assert {line["name"]: line["label"] for line in rows} == {"espresso.png": "espresso", "дом.png": "palace"}
    with page.expect_download() as download:
        page.click("#json")
    assert json.loads(Path(download.value.path()).read_text())["counts"]["done"] == 2


def test_files_can_be_dropped_and_more_join_the_same_batch(page: Page, site: Site, photos: list[FilePayload]) -> None:
    upload(page, site, photos[:1])
    expect(page.locator(".image.done")).to_have_count(1)
    address = page.url
    transfer = page.evaluate_handle(
        """async ([name, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
            return transfer;
        }""",
        [photos[1]["name"], list(photos[1]["buffer"])],
    )
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    expect(page.locator(".image.done .label")).to_have_text(["espresso", "palace"])
    assert page.url == address


def test_many_files_at_once_are_all_answered(page: Page, site: Site) -> None:
    picture = photo("", "#446688")["buffer"]
    files = [file(f"{number}.png", "image/png", picture) for number in range(35)]
    site.labels |= {f"{number}.png": f"thing {number}" for number in range(35)}
    upload(page, site, files)
    expect(page.locator("#summary")).to_have_text("35 of 35 classified", timeout=120_000)
    expect(page.locator(".image .label")).to_have_text([f"thing {number}" for number in range(35)])


def test_a_file_that_is_too_large_is_refused_in_words_without_being_sent(
    page: Page, site: Site, photos: list[FilePayload]
) -> None:
    upload(page, site, [file("huge.png", "image/png", b"x" * 1_100_000), photos[0]])
    expect(page.locator(".image.failed .error")).to_contain_text("larger than the limit")
    expect(page.locator(".image.done")).to_have_count(1)
    expect(page.locator("#summary")).to_have_text("1 of 2 classified · 1 without a label")


def test_a_lost_connection_is_said_and_the_file_can_be_sent_again(
    browser: Browser, site: Site, photos: list[FilePayload]
) -> None:
    # A page of its own: the browser itself writes the failed request into the console.
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(site.url)
        page.route("**/api/v1/upload*", lambda route: route.abort())
        page.set_input_files("#files", photos[:1])
        expect(page.locator(".image.failed .error")).to_contain_text("Check the connection")
        page.unroute("**/api/v1/upload*")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".image.done .label")).to_have_text("espresso")
        expect(page.locator("#summary")).to_have_text("1 of 1 classified")


def test_an_unknown_batch_is_explained(browser: Browser, site: Site) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        response = page.goto(f"{site.url}/batches/none")
        assert response is not None
        assert response.status == 404
        expect(page.locator("main")).to_contain_text("There is no such batch")
        page.screenshot(path=SHOTS / "problem.png")
        assert Axe().run(page).response["violations"] == []
        page.get_by_role("link", name="Start a new batch").click()
        expect(page.locator(".intro h1")).to_have_text("What is in your photos?")


def test_the_page_works_with_the_keyboard_alone(page: Page, site: Site) -> None:
    # Playwright catches a file chooser only once somebody has listened for a while: from before the page is there.
    page.on("filechooser", lambda _: None)
    page.goto(site.url)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.locator("#files")).to_be_focused()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    assert chooser.value.is_multiple()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_in_its_width_in_light_and_dark(
    browser: Browser, site: Site, photos: list[FilePayload], scheme: str
) -> None:
    with browser.new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto(site.url)
        page.screenshot(path=SHOTS / f"phone-start-{scheme}.png")
        page.set_input_files("#files", [*photos, file("a-very-long-name-" * 9 + ".txt", "text/plain", b"x")])
        expect(page.locator("#summary")).to_contain_text("4 of 5 classified")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        light = page.evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every((part) => part > 200)"
        )
        assert light == (scheme == "light")
        page.screenshot(path=SHOTS / f"phone-{scheme}.png", full_page=True)


def test_without_javascript_the_form_still_uploads_and_leads_to_the_batch(
    browser: Browser, site: Site, photos: list[FilePayload]
) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(site.url)
        page.set_input_files("#files", photos[:1])
        page.screenshot(path=SHOTS / "start-without-javascript.png")
        page.get_by_role("button", name="Upload").click()
        page.wait_for_url("**/batches/*")
        expect(page.get_by_role("link", name="CSV")).to_be_visible()
        page.goto(site.url)
        page.set_input_files("#files", [file("empty.png", "image/png", b"")])
        page.get_by_role("button", name="Upload").click()
        expect(page.locator("main")).to_contain_text("empty.png: The file has no bytes")
