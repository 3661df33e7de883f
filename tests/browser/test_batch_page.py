"""What a person can do with a batch: search, sort, send again, come back in the middle, delete; and how it reads."""

import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FilePayload, Page, Route, expect

from novaburst.contract import Guess, Result
from tests.browser.conftest import SHOTS, Site
from tests.browser.photos import file, photo
from web_tier.store import Store

UPLOADS = "**/api/v1/upload*"
LABELS = ".image .label"


@pytest.fixture
def batch(page: Page, site: Site, photos: list[FilePayload]) -> Page:
    """A page with four answers, labelled espresso, palace, snail and daisy, and a text file's error."""
    page.goto(site.url)
    page.set_input_files("#files", [*photos, file("notes.txt", "text/plain", b"no image")])
    expect(page.locator("#summary")).to_have_text("4 of 5 classified · 1 without a label")
    return page


def answer(batch: str, image_id: str, name: str, label: str) -> Result:
    top5 = tuple(Guess(label=f"{label}{'?' * n}", score=score) for n, score in enumerate((0.6, 0.025, 0.004)))
    return Result(id=image_id, batch=batch, name=name, label=label, score=0.6, top5=top5, worker="i-test")


def test_images_are_filtered_sorted_and_searched_by_name_and_label(batch: Page) -> None:
    labels = batch.locator(LABELS)
    batch.get_by_label("Failed 1").check()
    expect(labels).to_have_text(["Not classified"])
    batch.get_by_label("Done 4").check()
    batch.get_by_label("Sort").select_option("Label")
    expect(labels).to_have_text(["daisy", "espresso", "palace", "snail"])
    batch.get_by_label("Sort").select_option("Name")
    expect(labels).to_have_text(["espresso", "daisy", "snail", "palace"])
    search = batch.get_by_role("searchbox")
    search.fill("PAL")
    # One by its label, the other by its name.
    expect(labels).to_have_text(["daisy", "palace"])
    search.fill("no such thing")
    expect(batch.locator("#no-match")).to_be_visible()
    batch.get_by_role("button", name="Show all").click()
    expect(labels).to_have_text(["espresso", "palace", "snail", "daisy", "Not classified"])


def test_the_panel_of_workers_says_what_is_decided_and_why_and_draws_it(
    page: Page, site: Site, photos: list[FilePayload]
) -> None:
    site.working.clear()
    page.goto(site.url)
    page.set_input_files("#files", photos)
    expect(page.locator("#decisions li").first).to_contain_text("Start 1 worker")
    expect(page.locator("#decisions .reason").first).to_contain_text("wanted by proportional")
    expect(page.locator("#figure-waiting")).to_have_text("4")
    expect(page.locator("#charts svg").first).to_have_attribute(
        "aria-label", re.compile("Images to do: now .*4 waiting")
    )
    expect(page.locator("#charts svg path").first).to_have_attribute("d", re.compile("^M.*Z$"))
    page.screenshot(path=SHOTS / "workers.png", full_page=True)
    site.working.set()
    expect(page.locator("#figure-waiting")).to_have_text("0")
    expect(page.locator("#figure-pace")).not_to_have_text("0")


def test_without_a_place_in_the_stream_results_arrive_all_the_same(
    browser: Browser, site: Site, photos: list[FilePayload]
) -> None:
    # A page of its own: the browser itself writes the refusal into the console.
    with browser.new_context() as context:
        page = context.new_page()
        page.route("**/events*", lambda route: route.fulfill(status=503, headers={"Retry-After": "5"}))
        page.goto(site.url)
        page.set_input_files("#files", photos)
        expect(page.locator("#summary")).to_have_text("4 of 4 classified")
        expect(page.locator("#trouble")).to_be_hidden()


def test_files_that_are_sent_again_go_as_the_same_request_so_that_none_is_taken_twice(
    browser: Browser, site: Site, photos: list[FilePayload]
) -> None:
    keys: list[str] = []

    def take_it_but_lose_the_answer(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        route.fetch()
        route.abort()

    with browser.new_context() as context:
        page = context.new_page()
        page.goto(site.url)
        page.route(UPLOADS, take_it_but_lose_the_answer)
        page.set_input_files("#files", photos)
        expect(page.locator("#unsent")).to_contain_text(
            "4 files could not be sent: espresso.png, дом.png, snail.png and"
        )
        page.screenshot(path=SHOTS / "unsent.png", full_page=True)
        page.unroute(UPLOADS)
        page.locator("#unsent").get_by_role("button", name="Send again").click()
        expect(page.locator("#summary")).to_have_text("4 of 4 classified")
        expect(page.locator("#unsent")).to_be_hidden()
        page.reload()
        expect(page.locator("#summary")).to_have_text("4 of 4 classified")
    assert len(keys) > 1
    assert len(set(keys)) == 1


def test_after_a_reload_in_the_middle_of_the_upload_only_what_is_missing_is_sent(
    browser: Browser, site: Site, photos: list[FilePayload]
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(site.url)
        page.set_input_files("#files", photos[:2])
        expect(page.locator("#summary")).to_have_text("2 of 2 classified")
        page.route(UPLOADS, lambda route: route.abort())
        page.set_input_files("#files", photos[2:])
        expect(page.locator("#unsent")).to_contain_text("2 files could not be sent")
        page.unroute(UPLOADS)
        page.reload()
        expect(page.locator("#left-over")).to_contain_text("2 files had not been sent when this page was closed")
        expect(page.locator("#summary")).to_have_text("2 of 2 classified")
        page.set_input_files("#files", photos)
        expect(page.locator("#summary")).to_have_text("4 of 4 classified")
        expect(page.locator("#left-over")).to_have_text(
            re.compile("^Left out 2 files that this batch has already. *Close$")
        )
        page.reload()
        expect(page.locator("#summary")).to_have_text("4 of 4 classified")
        expect(page.locator("#left-over")).to_be_hidden()


def test_a_whole_folder_is_sent_without_what_nobody_means_to_send(page: Page, site: Site, tmp_path: Path) -> None:
    (tmp_path / "trip" / "day one").mkdir(parents=True)
    for path in ("trip/first.png", "trip/day one/second.png", "trip/.DS_Store"):
        (tmp_path / path).write_bytes(photo("", "#aa5533")["buffer"])
    site.labels |= {"first.png": "yurt", "second.png": "goose"}
    page.goto(site.url)
    page.set_input_files("#folder", tmp_path / "trip")
    expect(page.locator("#summary")).to_have_text("2 of 2 classified")
    assert sorted(page.locator(LABELS).all_text_contents()) == ["goose", "yurt"]


def test_an_image_can_be_pasted_and_keeps_its_preview(page: Page, site: Site, photos: list[FilePayload]) -> None:
    page.goto(site.url)
    page.evaluate(
        """([name, bytes]) => {
            const clipboardData = new DataTransfer();
            clipboardData.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
            document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
        }""",
        [photos[0]["name"], list(photos[0]["buffer"])],
    )
    expect(page.locator(LABELS)).to_have_text(["espresso"])
    expect(page.locator(".thumb img")).to_have_js_property("naturalHeight", 192)
    page.evaluate(
        """async () => {
            const { keptPicture } = await import("/static/pictures.js");
            const { id } = document.querySelector(".image").dataset;
            const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
            const deadline = Date.now() + 60_000;
            while (!await keptPicture(id) && Date.now() < deadline) await pause();
        }"""
    )
    page.reload()
    expect(page.locator(".thumb img")).to_have_js_property("naturalHeight", 192)


def test_a_drop_without_a_file_is_answered_in_words(page: Page, site: Site, photos: list[FilePayload]) -> None:
    page.goto(site.url)
    text = page.evaluate_handle(
        "() => { const transfer = new DataTransfer(); transfer.setData('text/plain', 'cat'); return transfer; }"
    )
    page.dispatch_event("body", "drop", {"dataTransfer": text})
    expect(page.locator("#unread")).to_contain_text("no file in what you dropped")
    page.set_input_files("#files", photos[:1])
    expect(page.locator("#unread")).to_be_hidden()


def test_names_and_labels_are_text_whatever_they_look_like(
    page: Page, browser: Browser, site: Site, store: Store
) -> None:
    name, label = '"><img src=x onerror=alert(1)>.png', "<script>alert(2)</script>"
    store.record([answer("hostile", "image-1", name, label)], time.time())
    with browser.new_context(java_script_enabled=False) as context:
        plain = context.new_page()
        for shown in (page, plain):
            shown.goto(f"{site.url}/batches/hostile")
            expect(shown.locator(".image .name")).to_have_text(name)
            expect(shown.locator(LABELS)).to_have_text(label)
            expect(shown.locator(".image script, .image [onerror]")).to_have_count(0)
            # With and without scripts a number is rounded alike.
            expect(shown.locator(".top5 .score")).to_have_text(["60 %", "3 %", "<1 %"])


def test_a_batch_of_1500_images_is_shown_a_page_at_a_time_and_searched_as_a_whole(
    page: Page, browser: Browser, site: Site, store: Store
) -> None:
    store.record([answer("large", f"image-{n:04}", f"{n}.jpg", f"thing {n}") for n in range(1500)], time.time())
    page.goto(f"{site.url}/batches/large")
    expect(page.locator("#summary")).to_have_text("1,500 of 1,500 classified")
    expect(page.locator("#place")).to_have_text("1 to 60 of 1,500")
    expect(page.locator(".image")).to_have_count(60)
    page.get_by_label("Sort").select_option("Label")
    page.get_by_role("button", name="Next").click()
    expect(page.locator(LABELS).first).to_have_text("thing 60")
    page.get_by_role("searchbox").fill("1499")
    expect(page.locator(LABELS)).to_have_text(["thing 1499"])
    with browser.new_context(java_script_enabled=False) as context:
        plain = context.new_page()
        plain.goto(f"{site.url}/batches/large?page=24")
        plain.get_by_role("link", name="Next").click()
        expect(plain.locator(LABELS).first).to_have_text("thing 1440")
        expect(plain.locator("noscript .pager")).to_contain_text("Page 25 of 25")


def test_a_batch_can_be_deleted_and_whoever_opens_it_is_told(batch: Page, browser: Browser, site: Site) -> None:
    address = batch.url
    batch.get_by_role("button", name="Delete…").click()
    batch.get_by_role("button", name="Keep it").click()
    expect(batch.locator(".image")).to_have_count(5)
    batch.get_by_role("button", name="Delete…").click()
    batch.get_by_role("button", name="Delete it").click()
    batch.wait_for_url(f"{site.url}/")
    expect(batch.locator("#recent")).to_be_hidden()
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(address)
        expect(page.locator("main")).to_contain_text("There is no such batch")


def test_whoever_has_a_batch_open_that_somebody_deletes_is_told_what_to_do(
    browser: Browser, site: Site, photos: list[FilePayload]
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(site.url)
        page.set_input_files("#files", photos[:1])
        expect(page.locator("#summary")).to_have_text("1 of 1 classified")
        assert requests.delete(f"{site.url}/api/v1{urlsplit(page.url).path}", timeout=60).ok
        page.set_input_files("#files", photos[1:2])
        expect(page.locator("#unsent")).to_contain_text("Start a new batch and add the files there")
        expect(page.locator("#trouble")).to_have_text("This batch was deleted.")


def test_the_start_page_leads_back_to_the_batches_of_this_browser(batch: Page, site: Site) -> None:
    address = batch.url
    batch.get_by_role("link", name="New batch").click()
    expect(batch.locator("#recent li")).to_contain_text("4 of 5 images classified")
    batch.locator("#recent a").click()
    batch.wait_for_url(address)
    expect(batch.locator(".image.done")).to_have_count(4)


def test_a_batch_is_worked_with_by_the_keyboard_alone(batch: Page) -> None:
    focused = batch.locator(":focus")
    batch.get_by_role("searchbox").focus()
    batch.keyboard.type("daisy")
    expect(batch.locator(LABELS)).to_have_text(["daisy"])
    batch.keyboard.press("Control+A")
    batch.keyboard.press("Delete")
    batch.keyboard.press("Tab")
    expect(focused).to_have_attribute("value", "all")
    batch.keyboard.press("ArrowRight")
    batch.keyboard.press("ArrowRight")
    expect(batch.locator(LABELS)).to_have_text(["Not classified"])
    batch.keyboard.press("ArrowLeft")
    expect(batch.locator(LABELS)).to_have_count(4)
    batch.keyboard.press("Tab")
    expect(focused).to_have_id("sort")
    batch.keyboard.press("Tab")
    batch.keyboard.press("Enter")
    expect(batch.locator(".top5").first).to_be_visible()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert batch.evaluate(outline) == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_anybody_out(
    batch: Page, site: Site, photos: list[FilePayload], scheme: str
) -> None:
    batch.emulate_media(color_scheme=scheme)
    # Colours that are half-way through a transition are nobody's choice.
    batch.emulate_media(reduced_motion="reduce")
    batch.locator(".more summary").first.click()
    batch.locator("#fleet-panel").evaluate("panel => panel.open = true")
    expect(batch.locator("#decisions li").first).to_be_visible()
    found = faults_at_both_widths(batch, f"batch-{scheme}")
    site.working.clear()
    batch.set_input_files("#files", photos[:1])
    expect(batch.locator(".image.pending .label")).to_have_text("Waiting for a worker…")
    found |= faults_at_both_widths(batch, f"waiting-{scheme}")
    batch.get_by_role("button", name="Delete…").click()
    found |= faults_at_both_widths(batch, f"delete-{scheme}")
    batch.goto(site.url)
    expect(batch.locator("#recent")).to_be_visible()
    found |= faults_at_both_widths(batch, f"start-{scheme}")
    batch.goto(f"{site.url}/api/v1/docs")
    found |= faults_at_both_widths(batch, f"api-{scheme}")
    assert {where: faults for where, faults in found.items() if faults} == {}


def faults_at_both_widths(page: Page, shot: str) -> dict[str, list[str]]:
    """What axe finds wrong on a desk and on a phone, with a picture of each."""
    found = {}
    for where, width, height in (("phone", 360, 740), ("desk", 1200, 860)):
        page.set_viewport_size({"width": width, "height": height})
        faults = Axe().run(page).response["violations"]
        found[f"{shot}-{where}"] = [f"{fault['id']}: {node['html']}" for fault in faults for node in fault["nodes"]]
        page.screenshot(path=SHOTS / f"{shot}-{where}.png", full_page=True)
    return found


def test_nothing_moves_for_whoever_asked_for_less_motion(page: Page, site: Site, photos: list[FilePayload]) -> None:
    site.working.clear()
    page.emulate_media(reduced_motion="reduce")
    page.goto(site.url)
    page.set_input_files("#files", [file("notes.txt", "text/plain", b"no image")])
    expect(page.locator(".pending .thumb")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.thumb'), '::before').animationName") == "none"


def test_without_javascript_a_batch_shows_its_results(batch: Page, browser: Browser, site: Site) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(batch.url)
        expect(page.locator("#summary")).to_have_text("4 of 5 classified · 1 without a label")
        expect(page.locator(".image.done .label")).to_have_count(4)
        expect(page.locator(".image.failed .error")).to_contain_text("convert it to JPEG or PNG")
        expect(page.locator("#search")).to_be_hidden()
        page.locator(".more summary").first.click()
        expect(page.locator(".image.done .top5").first).to_contain_text("small ")
        page.screenshot(path=SHOTS / "without-javascript.png", full_page=True)


def test_without_javascript_a_waiting_batch_loads_itself_again(
    browser: Browser, site: Site, photos: list[FilePayload]
) -> None:
    site.working.clear()
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(site.url)
        page.set_input_files("#files", photos[:1])
        page.get_by_role("button", name="Upload").click()
        page.wait_for_url("**/batches/*")
        expect(page.locator(".image.pending .label")).to_have_text("Waiting for a worker…")
        site.working.set()
        expect(page.locator(".image.done .label")).to_have_text("espresso")


def test_without_a_stream_a_batch_that_is_still_being_filled_is_asked_for_again(batch: Page) -> None:
    answered = 0

    def tell(route: Route) -> None:
        nonlocal answered
        real = route.fetch()
        news = real.json()
        if not answered:
            # As a batch of a prefix looks when only its first image is entered, and answered already.
            first = [image for image in news["images"] if image["state"] == "done"][:1]
            counts = {"total": 1, "done": 1, "failed": 0, "pending": 0}
            news |= {"images": first, "counts": counts, "filling": True, "revision": 0}
        route.fulfill(response=real, json=news)
        answered += 1

    # To a browser this says: no stream here.
    batch.route("**/api/v1/batches/*/events*", lambda route: route.fulfill(status=204))
    batch.route("**/api/v1/batches/*?since=*", tell)
    batch.reload()
    deadline = time.monotonic() + 60
    while answered < 2 and time.monotonic() < deadline:
        batch.wait_for_timeout(100)
    assert answered == 2
    expect(batch.locator("#summary")).to_have_text("4 of 5 classified · 1 without a label")
