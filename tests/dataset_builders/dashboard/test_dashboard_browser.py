"""The running page in a real browser, at the width of a desktop and of a phone."""

import json
import re
import shutil
import sys
from pathlib import Path

import duckdb
import psutil
import pytest

from dataset_builders.common.decisions import read_decisions
from dataset_builders.dashboard.map.build import TABLES
from support.dashboard_fixtures import TABS
from support.serving import free_port, serving

pytest.importorskip("streamlit", reason="install the extra `dashboard`")
sync_api = pytest.importorskip("playwright.sync_api", reason="install the extra `test`")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium: apt-get install chromium")

DESKTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}

DRAWN = "[data-testid=stApp][data-test-script-state=notRunning]"

FIRST = ", ".join(
    f"[data-testid={name}]" for name in ("stMetric", "stTextInput", "stTextArea", "stMultiSelect", "stAlert")
)
"""What a tab begins with."""


HOSTILE = (
    "<script>hacked = 1</script><img src=x onerror='hacked = 1'><a href='https://evil.example'>a</a> "
    "[link](https://evil.example) ![image](https://evil.example/x.png) https://evil.example $x^2$ **bold** =1+1"
)

MARKUP = "[href*='evil.example'], [src*='evil.example'], [href^=javascript], .katex"
"""What a browser makes of `HOSTILE` if it interprets it."""

CHANGED = {
    # table -> columns with another value
    "turns": "t || text AS text",
    "dialogs": "t || dialog_text AS dialog_text, [t] AS domains, [t] AS intents, t AS scenario, [t] AS flags",
    "pairs": "t || anchor AS anchor, t || positive AS positive, [t] AS flags",
    "downstream": "t || utterance AS utterance, t || label AS label, [t || label] AS labels, t AS scenario",
    "drops": 't || text AS text, t AS "value", t || "filter" AS "filter", t AS row_id',
    "domain_counts": "t || name AS name",
    "flag_counts": "t || flag AS flag",
    "label_counts": "t || label AS label, [t || label] AS labels",
    "word_counts": "left(t, 27) || word AS word",
    "sources": "'javascript:hacked = 1' AS homepage, t AS title, t AS notes, t AS citation, t AS license_evidence",
}


@pytest.fixture(scope="module")
def decisions(tmp_path_factory):
    """File of the rows that visitors mark."""
    return tmp_path_factory.mktemp("marked") / "decisions.jsonl"


@pytest.fixture(scope="module")
def hostile(database, tmp_path_factory):
    """The sample with markup in all its texts, and a cluster."""
    copy = shutil.copy(database, tmp_path_factory.mktemp("hostile") / "sample.duckdb")
    text = HOSTILE.replace("'", "''")
    with duckdb.connect(str(copy)) as connection:
        for table, columns in CHANGED.items():
            values = f"SELECT * REPLACE ({columns}) FROM (SELECT *, '{text}' AS t FROM {table})"
            connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * EXCLUDE t FROM ({values})")
        connection.execute(
            "INSERT INTO clusters (cluster_id, dialogue_id, source) "
            "SELECT 'one', min(dialogue_id), source FROM dialogs GROUP BY source"
        )
        connection.execute("INSERT INTO duplicates VALUES ('dialogues', 'sgd', 'woz', 1)")
        connection.execute(TABLES)
        facts = {"points": 100, "rows": 100, "width": 1, "height": 1, "seed": 0, "fitted": 9, "without_vector": 0}
        facts |= {"encoder": HOSTILE, "dataset_fingerprint": HOSTILE}
        connection.execute("INSERT INTO maps VALUES ('utterances', ?)", [json.dumps(facts)])
        connection.execute(
            "INSERT INTO map_points SELECT 'utterances', n, 'dialogues', dialogue_id, turn_index, 1, n % 10 / 9, "
            "n // 10 / 9, 0 FROM (SELECT *, row_number() OVER () - 1 AS n FROM turns LIMIT 100)"
        )
        words = [HOSTILE, "of the map"]
        connection.execute("INSERT INTO map_clusters VALUES ('utterances', 0, 0, 0.5, 0.55, 100, ?)", [words])
    return copy


@pytest.fixture(scope="module")
def address(hostile, decisions, tmp_path_factory):
    """The command itself, serving the sample with hostile texts."""
    port = free_port()
    log = tmp_path_factory.mktemp("served") / "log.txt"
    command = [sys.executable, "-m", "dialogue_cube", "dashboard", "--database", str(hostile), "--no-browser"]
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
        scheme = "dark" if size is PHONE else "light"
        is_phone = {"is_mobile": size is PHONE, "has_touch": size is PHONE}
        if size is PHONE:
            is_phone["user_agent"] = (
                "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36"
            )
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme, **is_phone))
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


def check_nothing_is_interpreted(page):
    assert page.evaluate("window.hacked === undefined")
    assert page.locator(MARKUP).count() == 0


def brightness(page):
    colour = page.locator("[data-testid=stApp]").evaluate("e => getComputedStyle(e).backgroundColor")
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3


def errors(page):
    return page.locator("[data-testid=stException], [data-testid=stAlertContentError]").all_inner_texts()


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_tab_is_drawn_without_an_error_and_fits(visit, tmp_path, size):
    page = visit("", size)
    assert (brightness(page) < 60) == (size is PHONE)  # the phone asks for dark mode
    for tab in page.get_by_role("tab").all():
        box = tab.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size["width"]
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
        if size is PHONE and panel.get_by_test_id("stDataFrame").count():
            panel.locator(".dvn-scroller").first.wait_for()
            scrolled = "tables => tables.map(table => table.scrollWidth - table.clientWidth)"
            assert not any(panel.locator(".dvn-scroller").evaluate_all(scrolled)), tab
        check_nothing_is_interpreted(page)
        assert page.get_by_role("button", name="Download as CSV").filter(visible=True).count() == 0
        picture = tmp_path / f"{tab}.png"
        page.screenshot(path=picture)
        assert picture.stat().st_size > 10_000


def test_a_click_on_a_bar_opens_its_rows_whose_texts_stay_texts(visit):
    page = visit("")
    chart = page.get_by_test_id("stVegaLiteChart").nth(1)  # by split, train first
    chart.locator("canvas, svg").first.wait_for()
    for _ in range(2):  # the same bar opens the window again
        chart.click(position={"x": chart.bounding_box()["width"] * 0.25, "y": 18})
        window = page.get_by_role("dialog")
        window.get_by_text("Split: train").wait_for()
        assert "rows=dialogues&rows=split%3Dtrain" in page.url
        page.wait_for_selector(DRAWN)
        window.get_by_test_id("stDataFrame").click(position={"x": 100, "y": 55})
        window.get_by_test_id("stChatMessage").first.wait_for()
        assert HOSTILE[:26] in window.get_by_test_id("stChatMessage").first.inner_text()
        check_nothing_is_interpreted(page)
        window.get_by_role("button", name="Keep").click()
        window.get_by_text("Marked: Keep").wait_for()
        with page.expect_download() as rows:
            window.get_by_role("button", name="CSV").click()
        assert HOSTILE[:26] in Path(rows.value.path()).read_text(encoding="utf-8-sig")
        window.get_by_role("button", name="Close").click()
        window.wait_for(state="detached")
        page.wait_for_function("!location.search.includes('rows=')")
        page.wait_for_selector(DRAWN)


def test_a_map_shows_the_rows_of_an_area_and_of_a_point_whose_texts_stay_texts(visit):
    page = visit("?tab=map")
    plane = page.locator(".map[data-drawn='100']")
    plane.wait_for()
    canvas = plane.locator("canvas")
    colours = "c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size"
    assert canvas.evaluate(colours) > 1
    assert plane.locator(".labels").inner_text() == f"{HOSTILE[:24]}…, of the map"
    box = canvas.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    side = 0.92 * min(box["width"], box["height"]) / 9  # between two points of the grid

    page.get_by_role("button", name="Select a rectangle").click()
    page.mouse.move(middle[0] - side, middle[1] - side)
    page.mouse.down()
    page.mouse.move(middle[0] + side, middle[1] + side, steps=3)
    page.mouse.up()
    page.wait_for_function("location.search.includes('area=')")
    page.get_by_text("Rows 1–4 of 4 in the area").wait_for()
    check_nothing_is_interpreted(page)

    page.mouse.move(middle[0] + side / 2, middle[1] + side / 2)
    plane.locator(".tip").wait_for()
    assert HOSTILE[:26] in plane.locator(".tip").inner_text()
    page.get_by_role("button", name="Clear the selection").click()
    page.wait_for_function("!location.search.includes('area=')")
    page.mouse.click(middle[0] + side / 2, middle[1] + side / 2)
    page.wait_for_function("location.search.includes('point=')")
    page.get_by_test_id("stChatMessage").first.wait_for()
    check_nothing_is_interpreted(page)


def test_only_this_machine_reaches_the_page(address):
    port = int(address.rstrip("/").rpartition(":")[2])
    listening = {
        each.laddr.ip
        for each in psutil.net_connections("tcp")
        if each.status == psutil.CONN_LISTEN and each.laddr.port == port
    }
    assert listening
    assert listening <= {"127.0.0.1", "::1"}


def test_the_address_includes_the_filters(visit):
    page = visit("?tab=pairs&source=sgd&split=test&lang=ru&unit=characters")
    assert page.get_by_role("tab", selected=True).inner_text() == "Пары"
    assert page.locator("[data-testid=stSidebar]").get_by_text("sgd").first.is_visible()
    count = page.locator("[data-testid=stMetricValue]").first.inner_text()
    whole = visit("?tab=pairs&lang=ru").locator("[data-testid=stMetricValue]").first.inner_text()
    assert 0 < int(count.replace("\u00a0", "")) < int(whole.replace("\u00a0", ""))
    page.get_by_role("tab", name="Лицензии").click()
    page.wait_for_function("location.search.includes('tab=licences')")
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


def test_two_clicks_at_once_both_count(visit):
    page = visit("?tab=sql")
    page.evaluate("""
        document.querySelectorAll("[role=tab]")[11].click();
        [...document.querySelectorAll("button")].find(button => button.innerText === "Русский").click()
    """)
    page.get_by_role("tab", name="Лицензии").wait_for()
    settled(page)
    assert page.get_by_role("tab", selected=True).inner_text() == "Лицензии"
    page.wait_for_function("location.search.includes('tab=licences') && location.search.includes('lang=ru')")


def test_an_answer_of_sql_fits_a_phone(visit):
    page = visit("?tab=sql&sql=FROM+dialogue_statistics", PHONE)
    page.get_by_role("button", name="Run").click()
    page.get_by_text("All 9 columns").wait_for()
    tables = page.locator(".dvn-scroller")
    tables.nth(1).wait_for()
    assert not any(tables.evaluate_all("tables => tables.map(table => table.scrollWidth - table.clientWidth)"))


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
    assert [d.decision for d in read_decisions(decisions) if d.config == "pairs"] == ["bad_pair"]
