"""How soon the dashboard shows something, in a real browser.

    python tests/benchmarks/bench_dashboard.py --database FILE [--visits 5] [--tabs dialogs,pairs] [--port 8765]

Starts the command, opens every tab in headless Chromium, each visit in a browser without a cache. For the first visit
and the best of the later ones: wall seconds until the browser's first paint (of content), until the first figures stand
there and until all is drawn, processor seconds of the server and of the browser's main thread. The two processors work one after the other, so on an idle
machine their sum is about the wall time; on a loaded one the wall time says how loaded it is. The extras `dashboard`
and `test`, and Chromium, are needed.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psutil
from playwright.sync_api import Browser, sync_playwright

TABS = ("dialogs", "pairs", "downstream", "quality", "explorer", "model", "licences")
FIRST = "[data-testid=stMetric], [data-testid=stTextInput], [data-testid=stAlert]"
DRAWN = "[data-testid=stApp][data-test-script-state=notRunning]"

# the page looks itself: a question from outside is answered only when the browser has time
WATCH = """
new MutationObserver((_, observer) => {
    if (document.querySelector("%s")) { window.firstFigures = performance.now(); observer.disconnect() }
}).observe(document, {childList: true, subtree: true})
"""


class Visit(NamedTuple):
    """Seconds."""

    paint: float
    first: float
    all: float
    server: float
    browser: float

    def __str__(self) -> str:
        return "".join(f"{value:9.2f}" for value in self)


def say(*words: object) -> None:
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


@contextmanager
def served(database: str, port: int) -> Iterator[psutil.Process]:
    command = [sys.executable, "-m", "dialogue_cube", "dashboard", "--database", database, "--no-browser"]
    with subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL) as server:
        try:
            while True:
                if server.poll() is not None:
                    raise SystemExit("the page is not served")
                try:
                    urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1)
                    break
                except OSError:
                    time.sleep(0.2)
            yield psutil.Process(server.pid)
        finally:
            server.terminate()


def visit(browser: Browser, server: psutil.Process, address: str) -> Visit:
    def processor() -> float:
        times = server.cpu_times()
        return times.user + times.system

    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(WATCH % FIRST)
    meter = context.new_cdp_session(page)
    meter.send("Performance.enable", {"timeDomain": "threadTicks"})
    before, start = processor(), time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector(FIRST)
    page.wait_for_selector(DRAWN)
    drawn = time.perf_counter() - start
    metrics = {metric["name"]: metric["value"] for metric in meter.send("Performance.getMetrics")["metrics"]}
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
    first = page.evaluate("window.firstFigures") / 1000
    found = Visit(paint, first, drawn, processor() - before, metrics["TaskDuration"])
    context.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True)
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--tabs", default=",".join(TABS))
    parser.add_argument("--port", type=int, default=8765)
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    say(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    say(f"{'':18}{'paint':>9}{'first':>9}{'all':>9}{'server':>9}{'browser':>9}")
    with served(options.database, options.port) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for tab in options.tabs.split(","):
            visits = [
                visit(browser, server, f"http://localhost:{options.port}/?tab={tab}") for _ in range(options.visits)
            ]
            say(f"{tab:11} 1st   {visits[0]}")
            say(f"{'':11} median{Visit(*map(statistics.median, zip(*visits[1:], strict=True)))}")
        browser.close()


if __name__ == "__main__":
    main()
