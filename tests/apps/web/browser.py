"""What tests of the page in a browser share; the fixtures themselves are in conftest.py."""

import shutil

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (requirements-dev.txt)")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
BROWSER = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on PATH")]


def watched(browser: "sync_api.Browser", origin: str) -> "sync_api.Page":
    """Return a page; its `wrong` lists requests to hosts other than `origin`, logged errors, and dialogs."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(10_000)
    wrong: list[str] = []
    page.on("request", lambda request: wrong.append(request.url) if _elsewhere(origin, request.url) else None)
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.wrong = wrong
    return page


def _elsewhere(origin: str, url: str) -> bool:
    return not url.startswith((f"{origin}/", "blob:", "data:"))


def heading(page, text: str) -> None:
    sync_api.expect(page.locator("#results-heading")).to_have_text(text)


def forgive(page, text: str) -> None:
    """Remove from `wrong` the messages with `text` that the browser always logs; there is at least one."""
    notes = [note for note in page.wrong if text in note]
    assert notes
    for note in notes:
        page.wrong.remove(note)


def search(page, tags: str = "war dog") -> None:
    """Search as soon as the page is ready."""
    sync_api.expect(page.locator("#ask [type=submit]")).to_be_enabled()
    page.fill("#tags", tags)
    page.press("#tags", "Enter")


def leave_out(page) -> None:
    """Exclude the film of the first track."""
    page.locator(".menu summary").first.click()
    page.get_by_role("button", name="Leave out this film").first.click()
