"""Measure how fast the dashboard loads and answers in a real browser.

    python tests/benchmarks/bench_dashboard.py --database FILE [--vectors FOLDER] [--visits 5] [--tabs dialogs,pairs]
        [--actions filter,words] [--port 8765]

Starts the command and opens every tab in headless Chromium, without a cache. For the first visit and the median of the
later ones, it prints the wall seconds until the first paint of content, until the first figures and until the page is
complete, and the processor seconds of the server and of the browser's main thread until the first figures and until the
page is complete. These two work one after the other: their sum is about the wall time on an idle machine; on a busy one
the wall time is longer, and says more about the other work than about the dashboard.

Then it acts: filters by source, split and language, searches turns and pairs by words and by meaning, sorts pairs, and
opens a chat. For each action it prints the median of the same seconds until the answer is complete and painted. Each
repetition asks for something else, since the server keeps answers. Requires the extras `dashboard` and `test`, and
Chromium.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import psutil
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

TABS = (
    *("dialogs", "pairs", "downstream", "quality", "search", "map", "explorer", "compare", "model", "ask", "flow"),
    *("licences", "sql"),
)
FIGURES = ", ".join(
    f"[role=tabpanel] [data-testid={kind}]"
    for kind in ("stMetric", "stTextInput", "stTextArea", "stMultiSelect", "stDataFrame", "stAlert")
)
"""What a tab begins with; the sidebar, which has filters, is outside of the panel."""

COMPLETE = "[data-testid=stApp][data-test-script-state=notRunning]"

# the page measures itself, since it answers questions from outside only when it is idle
WATCH = """
new MutationObserver((_, observer) => {
    if (document.querySelector("%s")) { window.firstFigures = performance.now(); observer.disconnect() }
}).observe(document, {childList: true, subtree: true})
"""

ANSWERED = """
void (window.answered = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("no answer after ten minutes")), 600_000)
    const app = document.querySelector("[data-testid=stApp]"), began = performance.now()
    let running = false
    new MutationObserver((_, observer) => {
        const state = app.dataset.testScriptState
        // not only "running": a quick answer goes from "rerunRequested" to "notRunning" in a single drawing
        running = running || state !== "notRunning"
        if (!running || state !== "notRunning") return
        observer.disconnect()
        requestAnimationFrame(() => requestAnimationFrame(() => resolve((performance.now() - began) / 1000)))
    }).observe(app, {attributes: true})
}))
"""

FILTERED = {
    "source": ("sgd", "multiwoz", "crosswoz", "taskmaster", "star", "kdconv"),
    "split": ("validation", "test", "train"),
    "language": ("en", "zh", "ru", "de", "fr", "ja"),
}
BROAD = ("the", "you", "to", "is", "for", "and")
NARROW = ("hotel", "train", "music", "doctor", "refund", "weather")
PHRASES = (
    "book a table",
    "cancel my order",
    "what is the weather",
    "my card is lost",
    "play a song",
    "a flight to rome",
)


class Visit(NamedTuple):
    """Seconds of one visit; `first_` until the first figures, the other processor seconds until the page is complete."""

    paint: float
    figures: float
    complete: float
    first_server: float
    first_browser: float
    server: float
    browser: float

    def __str__(self) -> str:
        return "".join(f"{value:9.2f}" for value in self)


class Answer(NamedTuple):
    """Seconds of one action."""

    wall: float
    server: float
    browser: float

    def __str__(self) -> str:
        return "".join(f"{value:9.2f}" for value in self)


def say(*words: object) -> None:
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


@contextmanager
def serve(options: argparse.Namespace) -> Iterator[psutil.Process]:
    command = [sys.executable, "-m", "dialogue_cube", "dashboard", "--database", options.database, "--no-browser"]
    command += ["--vectors", options.vectors] if options.vectors else []
    port = options.port
    with subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL) as server:
        try:
            while True:
                if server.poll() is not None:
                    raise SystemExit("the dashboard did not start")
                try:
                    urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1)
                    break
                except OSError:
                    time.sleep(0.2)
            yield psutil.Process(server.pid)
        finally:
            server.terminate()


def processor(server: psutil.Process) -> float:
    times = server.cpu_times()
    return float(times.user + times.system)


class Used(threading.Thread):
    """Processor seconds of the server and of the main threads of the browser's pages, over time.

    The browser itself answers only when it is idle, which is after the first figures.
    """

    def __init__(self, server: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.server, self.done = server, threading.Event()
        self.threads: dict[str, float] = {}
        self.samples: list[tuple[float, float, float]] = []
        self.start()

    def run(self) -> None:
        """Look 50 times a second, and for new pages twice a second."""
        number = 0
        while not self.done.wait(0.02):
            if number % 25 == 0:
                children = psutil.Process().children(recursive=True)
                pages = [child.pid for child in children if "--type=renderer" in _words(child)]
            number += 1
            for pid in pages:
                with suppress(OSError):
                    ran = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]
                    self.threads[f"{pid}"] = int(ran) / 1e9
            self.samples.append((time.time(), processor(self.server), sum(self.threads.values())))

    def until(self, moment: float) -> tuple[float, float]:
        """Seconds from the beginning until a moment, of the server and of the pages."""
        first = self.samples[0]
        last = max((sample for sample in self.samples if sample[0] <= moment), default=first)
        return last[1] - first[1], last[2] - first[2]


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@contextmanager
def opened(browser: Browser) -> Iterator[tuple[Page, CDPSession]]:
    """Open a page of a new visitor, whose main thread is measured."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(600_000)
    page.add_init_script(WATCH % FIGURES)
    meter = context.new_cdp_session(page)
    meter.send("Performance.enable", {"timeDomain": "threadTicks"})
    yield page, meter
    context.close()


def main_thread(meter: CDPSession) -> float:
    metrics = meter.send("Performance.getMetrics")["metrics"]
    return next(float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")


def settle(page: Page) -> None:
    page.wait_for_selector(FIGURES)
    page.wait_for_selector(COMPLETE)


def visit(browser: Browser, server: psutil.Process, address: str) -> Visit:
    with opened(browser) as (page, _):
        start, used = time.perf_counter(), Used(server)
        page.goto(address, wait_until="commit")
        settle(page)
        complete = time.perf_counter() - start
        used.done.set()
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
        figures = page.evaluate("window.firstFigures") / 1000
        first = used.until(page.evaluate("performance.timeOrigin") / 1000 + figures)
        return Visit(paint, figures, complete, *first, *used.until(float("inf")))


class Filter:
    """Choose a value of a filter in the sidebar; afterwards it is cleared."""

    def __init__(self, tab: str, name: str) -> None:
        self.address, self.name, self.times = f"?tab={tab}", name, len(FILTERED[name])

    def prepare(self, page: Page, number: int) -> None:
        """Type the value."""
        page.locator(f".st-key-{self.name} input").fill(FILTERED[self.name][number])
        self.option = page.get_by_role("option", name=FILTERED[self.name][number], exact=True)
        self.option.wait_for()

    def act(self, page: Page, number: int) -> None:
        """Choose it."""
        self.option.click()

    def undo(self, page: Page) -> None:
        """Close the list, which hides all else, and clear the filter."""
        page.keyboard.press("Escape")
        page.evaluate(ANSWERED)
        page.locator(f".st-key-{self.name}").get_by_role("button", name="Clear all").click()
        page.evaluate("window.answered")


class Search:
    """Type words and press Enter."""

    def __init__(self, address: str, words: tuple[str, ...]) -> None:
        self.address, self.words, self.times = address, words, len(words)

    def prepare(self, page: Page, number: int) -> None:
        """Type the words."""
        page.locator(".st-key-q input, .st-key-text input").first.fill(self.words[number])

    def act(self, page: Page, number: int) -> None:
        """Search them."""
        page.keyboard.press("Enter")

    def undo(self, page: Page) -> None:
        """Leave the answer."""


class Chat:
    """Open a hit as a chat, then the next ones."""

    address, times = "?tab=search&q=hotel", 20

    def prepare(self, page: Page, number: int) -> None:
        """Wait for the button."""
        self.button = page.locator(".st-key-open-0 button") if not number else page.get_by_role("button", name="Next")
        self.button.wait_for()

    def act(self, page: Page, number: int) -> None:
        """Open it."""
        self.button.click()

    def undo(self, page: Page) -> None:
        """Leave the chat open."""


ACTIONS: dict[str, Filter | Search | Chat] = {
    **{f"{tab} by {name}": Filter(tab, name) for tab in ("dialogs", "pairs", "quality") for name in FILTERED},
    "turns: broad word": Search("?tab=search", BROAD),
    "turns: word": Search("?tab=search", NARROW),
    "turns: words": Search("?tab=search", PHRASES),
    "pairs: broad word": Search("?tab=search&in=pairs", BROAD),
    "pairs: word": Search("?tab=search&in=pairs", NARROW),
    "pairs: worst with word": Search("?tab=search&in=pairs&order=worst", NARROW),
    "labelled: word": Search("?tab=search&in=downstream", NARROW),
    "explorer: word": Search("?tab=explorer", NARROW),
    "turns: meaning": Search("?tab=search&by=meaning", PHRASES),
    "pairs: meaning": Search("?tab=search&by=meaning&in=pairs", PHRASES),
    "open a chat": Chat(),
}


def answers(browser: Browser, server: psutil.Process, base: str, action: Filter | Search | Chat, times: int) -> Answer:
    """Do an action several times; the median of each figure, without the first time, which loads the encoder."""
    measured = []
    with opened(browser) as (page, meter):
        page.goto(base + action.address)
        settle(page)
        for number in range(min(times + 1, action.times)):
            action.prepare(page, number)
            before, thread = processor(server), main_thread(meter)
            page.evaluate(ANSWERED)
            action.act(page, number)
            wall = page.evaluate("window.answered")
            measured.append(Answer(wall, processor(server) - before, main_thread(meter) - thread))
            action.undo(page)
    return Answer(*map(statistics.median, zip(*measured[1:], strict=True)))


def chromium() -> str | None:
    """Path of the browser; None for the one of Playwright."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True)
    parser.add_argument("--vectors", help="folder of `embed`; without it, nothing is searched by meaning")
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--tabs", default=",".join(TABS), help="empty for none")
    parser.add_argument(
        "--actions", default="", help="parts of the names of the actions; empty for all, `none` for none"
    )
    parser.add_argument("--port", type=int, default=8765)
    options = parser.parse_args()
    wanted = options.actions.split(",")
    actions = {name: action for name, action in ACTIONS.items() if any(part in name for part in wanted)}
    if not options.vectors:
        actions = {name: action for name, action in actions.items() if "meaning" not in name}
    base = f"http://localhost:{options.port}/"
    say(f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} of {os.cpu_count()} processors")
    with serve(options) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        if options.tabs:
            say(f"{'':18}{'wall seconds until':^27}{'processor, figures':>18}{'processor, complete':>20}")
            say(
                f"{'':18}"
                + "".join(f"{name:>9}" for name in ("paint", "figures", "complete", *("server", "browser") * 2))
            )
        for tab in filter(None, options.tabs.split(",")):
            visits = [visit(browser, server, f"{base}?tab={tab}") for _ in range(options.visits)]
            say(f"{tab:11} 1st   {visits[0]}")
            say(f"{'':11} median{Visit(*map(statistics.median, zip(*visits[1:], strict=True)))}")
        if actions:
            say(f"{'median of an action':24}{'answer':>9}{'server':>9}{'browser':>9}")
        for name, action in actions.items():
            say(f"{name:24}{answers(browser, server, base, action, options.visits)}")
        browser.close()


if __name__ == "__main__":
    main()
