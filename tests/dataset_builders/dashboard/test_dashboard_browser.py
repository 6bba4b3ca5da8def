"""The running page in a real browser, at the width of a desktop and of a phone."""

import shutil
import sys
from pathlib import Path

import pytest

from dataset_builders.common.decisions import read_decisions
from support.dashboard_fixtures import TABS
from support.serving import free_port, serving

pytest.importorskip("streamlit", reason="install the extra `dashboard`")
sync_api = pytest.importorskip("playwright.sync_api", reason="install the extra `test`")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium")

DESKTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}

DRAWN = "[data-testid=stApp][data-test-script-state=notRunning]"

FIRST = ", ".join(f"[data-testid={name}]" for name in ("stMetric", "stTextInput", "stAlert"))
"""What a tab begins with."""


@pytest.fixture(scope="module")
def decisions(tmp_path_factory):
    """File of the rows that visitors mark."""
    return tmp_path_factory.mktemp("marked") / "decisions.jsonl"


@pytest.fixture(scope="module")
def address(database, decisions, tmp_path_factory):
    """The command itself, serving the sample."""
    port = free_port()
    log = tmp_path_factory.mktemp("served") / "log.txt"
    command = [sys.executable, "-m", "dialogue_cube", "dashboard", "--database", str(database), "--no-browser"]
    command += ["--annotate", "--decisions", str(decisions)]
    with serving([*command, "--port", str(port)], port, "/_stcore/health", log, cwd=Path(__file__).parents[3]) as page:
        yield page


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield started
        started.close()


@pytest.fixture
def visit(browser, address):
    """Function that opens an address; fails at the end if the browser has reported an error."""
    complaints, contexts = [], []

    def opened(query, size=DESKTOP):
        contexts.append(browser.new_context(viewport=size, is_mobile=size is PHONE, has_touch=size is PHONE))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", lambda request: complaints.append(f"{request.url}: {request.failure}"))
        page.on("request", lambda request: complaints.append(request.url) if "//localhost" not in request.url else None)
        page.goto(address + query)
        settled(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    # requests that closing the page aborts are no errors; requests to other machines are
    assert [text for text in complaints if "ERR_ABORTED" not in text and not text.startswith(("data:", "blob:"))] == []


def settled(page):
    """Wait until the open tab is complete, and return its panel."""
    panel = page.get_by_role("tabpanel").filter(visible=True)
    panel.locator(FIRST).first.wait_for()
    page.wait_for_selector(DRAWN)
    return panel


def errors(page):
    return page.locator("[data-testid=stException], [data-testid=stAlertContentError]").all_inner_texts()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_tab_is_drawn_without_an_error_and_fits(visit, tmp_path, size):
    page = visit("", size)
    for number, tab in enumerate(TABS):
        page.get_by_role("tab").nth(number).click()
        page.wait_for_function("tab => location.search.includes(tab)", arg=f"tab={tab}" if number else "")
        panel = settled(page)
        assert errors(page) == []
        wide = "[...document.querySelectorAll('[data-testid=stMain], html')].map(e => e.scrollWidth - e.clientWidth)"
        assert page.evaluate(wide) == [0, 0], tab
        charts = panel.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg")
        if panel.locator("[data-testid=stVegaLiteChart]").count():
            charts.first.wait_for()
        picture = tmp_path / f"{tab}.png"
        page.screenshot(path=picture)
        assert picture.stat().st_size > 10_000


def test_the_address_includes_the_filters(visit):
    page = visit("?tab=pairs&source=sgd&split=test&lang=ru&unit=characters")
    assert page.get_by_role("tab", selected=True).inner_text() == "Пары"
    assert page.locator("[data-testid=stSidebar]").get_by_text("sgd").first.is_visible()
    count = page.locator("[data-testid=stMetricValue]").first.inner_text()
    whole = visit("?tab=pairs&lang=ru").locator("[data-testid=stMetricValue]").first.inner_text()
    assert 0 < int(count.replace("\u00a0", "")) < int(whole.replace("\u00a0", ""))
    page.get_by_role("tab", name="Лицензии").click()
    page.get_by_text("English").click()
    page.wait_for_function("location.search.includes('lang=en')")
    page.get_by_role("tab", name="Licences").wait_for()
    settled(page)
    assert page.get_by_role("tab", selected=True).inner_text() == "Licences"
    again = visit(page.url.split("/")[-1])  # the page of another visitor with the same address
    assert again.get_by_role("tab", selected=True).inner_text() == "Licences"
    shown = "[data-testid=stMetricValue]"
    assert again.locator(shown).all_inner_texts() == page.locator(shown).all_inner_texts()
    for part in ("source=sgd", "split=test", "tab=licences"):
        assert part in again.url


def test_numbers_and_the_choice_are_downloaded(visit):
    page = visit("?source=sgd")
    with page.expect_download() as chart:
        page.get_by_role("button", name="CSV").first.click()
    content = Path(chart.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert content[0] == "source,split,dialogues"
    assert content[1].startswith("sgd,")
    with page.expect_download() as config:
        page.get_by_role("button", name="Pipeline config").click()
    assert "sgd" in Path(config.value.path()).read_text()


def test_hits_are_read_and_marked_with_the_keyboard(visit, decisions):
    page = visit("?tab=search&in=pairs&q=the")
    assert page.locator("mark").first.inner_text().lower() == "the"
    page.locator(".st-key-open-1 button").click()
    page.wait_for_function("location.search.includes('hit=2')")
    page.get_by_text("Marks go to").wait_for()
    settled(page)
    page.keyboard.press("b")
    page.get_by_text("Marked: Bad pair").wait_for()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("location.search.includes('hit=1')")
    page.get_by_text("Marked: Bad pair").wait_for(state="detached")
    assert errors(page) == []
    assert [(d.config, d.decision) for d in read_decisions(decisions)] == [("pairs", "bad_pair")]
