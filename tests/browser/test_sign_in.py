"""The page of a server that asks for tokens, and pages of other sites that try to use a person's session."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect

from tests.browser.conftest import SHOTS, Site
from tests.browser.photos import file


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokens") / "tokens.json"
    token(path, "first")
    return path


def token(path: Path, *arguments: str) -> str:
    """The text of a token that `novaburst token new` has put into the file."""
    command = [str(Path(sys.executable).with_name("novaburst")), "token", "--file", str(path), "new", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def cloud_environment(cloud_environment: dict[str, str], token_file: Path) -> dict[str, str]:
    return cloud_environment | {"NOVABURST_TOKEN_FILE": str(token_file)}


@pytest.fixture(scope="module")
def text(token_file: Path) -> str:
    return token(token_file, "lab")


def sign_in(page: Page, text: str) -> None:
    page.get_by_label("Token").fill(text)
    page.get_by_role("button", name="Sign in").click()


def scripts_run(page: Page) -> None:
    """Wait for the page's scripts: a file that is chosen before is not seen."""
    expect(page.locator("html.scripting")).to_have_count(1)


@pytest.fixture
def strangers_page(tmp_path: Path) -> Iterator[str]:
    """Another site: the address of a folder that a test puts pages into."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        # The same machine by another name, so another site.
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_person_signs_in_once_and_works_on_the_page_as_ever(
    page: Page, site: Site, photos: list[FilePayload], text: str
) -> None:
    page.goto(site.url)
    expect(page.get_by_role("heading")).to_have_text("Sign in")
    page.screenshot(path=SHOTS / "sign-in.png")
    assert Axe().run(page).response["violations"] == []
    sign_in(page, text)
    scripts_run(page)
    page.set_input_files("#files", photos[:2])
    # By the stream of events, with the cookie.
    expect(page.locator(".image.done")).to_have_count(2)
    with page.expect_download() as download:
        page.click("#json")
    assert json.loads(Path(download.value.path()).read_text())["counts"]["done"] == 2
    assert Axe().run(page).response["violations"] == []
    page.screenshot(path=SHOTS / "signed-in.png")
    page.reload()
    expect(page.locator(".image.done")).to_have_count(2)
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page.locator(".intro h1")).to_have_text("What is in your photos?")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading")).to_have_text("Sign in")


def test_without_scripts_too_and_a_batchs_address_leads_back_to_it(
    browser: Browser, site: Site, photos: list[FilePayload], text: str
) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(site.url)
        sign_in(page, "nbt_wrong")
        expect(page.get_by_role("alert")).to_contain_text("unknown, revoked or expired")
        sign_in(page, text)
        page.set_input_files("#files", photos[:1])
        page.get_by_role("button", name="Upload").click()
        expect(page.locator(".image .name")).to_have_text("espresso.png")
        address = page.url
        page.get_by_role("button", name="Sign out").click()
        page.goto(address)
        sign_in(page, text)
        expect(page.locator(".image .name")).to_have_text("espresso.png")
        assert page.url == address


def test_who_is_signed_out_meanwhile_is_told_and_goes_on_after_signing_in_in_another_tab(
    browser: Browser, site: Site, photos: list[FilePayload], text: str
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(site.url)
        sign_in(page, text)
        scripts_run(page)
        context.clear_cookies()
        page.set_input_files("#files", photos[:1])
        expect(page.locator(".image.failed .error")).to_contain_text("You are signed out")
        other = context.new_page()
        other.goto(site.url)
        sign_in(other, text)
        scripts_run(other)
        page.get_by_role("button", name="Try again").click()
        expect(page.locator(".image.done .label")).to_have_text("espresso")


def test_who_has_reached_a_limit_for_hours_is_told_at_once(browser: Browser, site: Site, token_file: Path) -> None:
    small = token(token_file, "small", "--bytes-per-day", "1M")
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(site.url)
        sign_in(page, small)
        scripts_run(page)
        page.set_input_files("#files", [file("first.png", "image/png", b"x" * 700_000)])
        # No image, but taken.
        expect(page.locator(".image.failed .error")).to_contain_text("convert it")
        page.set_input_files("#files", [file("second.png", "image/png", b"x" * 700_000)])
        expect(page.locator("#unsent")).to_contain_text("the token 'small' allows 1,048,576 bytes a day: come again in")


ATTACK = """<!doctype html><title>Cats</title>
<form id="form" method="post" action="{url}{path}" enctype="multipart/form-data" target="hidden"></form>
<iframe name="hidden"></iframe>
<script>
  document.getElementById("form").submit();
  const tries = [["POST", "/api/v1/batches"], ["DELETE", "/api/v1/batches/{batch}"], ["POST", "/api/v1/scale"]];
  const asked = tries.map(([method, path]) => {{
    const mode = method === "POST" ? "no-cors" : "cors";
    const asking = fetch("{url}" + path, {{ method, mode, credentials: "include" }});
    return asking.then((reply) => reply.type, () => "refused");
  }});
  Promise.all(asked).then((seen) => {{ document.title = seen.join(" "); }});
</script>"""


def attacked(context: BrowserContext, site: Site, folder: Path, address: str, batch: str) -> list[tuple[str, int]]:
    """What our server answered to another site's page in this person's browser."""
    page, seen = context.new_page(), []
    page.on(
        "response", lambda reply: seen.append((reply.request.method, reply.status)) if site.url in reply.url else None
    )
    (folder / "cats.html").write_text(ATTACK.format(url=site.url, path="/api/v1/upload", batch=batch))
    page.goto(f"{address}/cats.html")
    # A script may not even learn of its failure; of a method that needs leave, it is told that there is none.
    expect(page).to_have_title("opaque refused opaque")
    page.wait_for_load_state("networkidle")
    return [(method, status) for method, status in seen if method not in {"GET", "OPTIONS"}]


def test_another_sites_page_can_do_nothing_with_a_persons_session(
    browser: Browser, site: Site, strangers_page: str, tmp_path: Path, text: str
) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(site.url)
        sign_in(page, text)
        scripts_run(page)
        batch = requests.post(f"{site.url}/api/v1/batches", headers={"Authorization": f"Bearer {text}"}, timeout=30)
        answers = attacked(context, site, tmp_path, strangers_page, batch.json()["batch"])
        assert answers.count(("POST", 403)) == 3, answers
        assert not [status for _, status in answers if status != 403]
        # Nor is it deleted.
        page.goto(site.url + batch.json()["page"])
        expect(page.locator("#none")).to_contain_text("Nothing has been uploaded")
