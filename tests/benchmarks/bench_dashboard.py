"""Measure how fast the dashboard loads in a real browser.

    python tests/benchmarks/bench_dashboard.py --database FILE [--visits 5] [--tabs dialogs,pairs] [--port 8765]

Starts the command and opens every tab in headless Chromium, without a cache. For the first visit and the median of the
later ones, it prints the wall seconds until the first paint of content, until the first figures and until the page is
complete, and the CPU seconds of the server and of the browser's main thread. These two work one after the other: their
sum is about the wall time on an idle machine, and less on a busy one. Requires the extras `dashboard` and `test`, and
Chromium.
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

TABS = ("dialogs", "pairs", "downstream", "quality", "explorer", "model", "licences", "sql")
FIGURES = "[data-testid=stMetric], [data-testid=stTextInput], [data-testid=stTextArea], [data-testid=stAlert]"
COMPLETE = "[data-testid=stApp][data-test-script-state=notRunning]"

# the page measures itself, since it answers questions from outside only when it is idle
WATCH = """
new MutationObserver((_, observer) => {
    if (document.querySelector("%s")) { window.firstFigures = performance.now(); observer.disconnect() }
}).observe(document, {childList: true, subtree: true})
"""


class Visit(NamedTuple):
    """Seconds of one visit."""

    paint: float
    figures: float
    complete: float
    server: float
    browser: float

    def __str__(self) -> str:
        return "".join(f"{value:9.2f}" for value in self)


def say(*words: object) -> None:
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


@contextmanager
def serve(database: str, port: int) -> Iterator[psutil.Process]:
    command = [sys.executable, "-m", "dialogue_cube", "dashboard", "--database", database, "--no-browser"]
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


def visit(browser: Browser, server: psutil.Process, address: str) -> Visit:
    def processor() -> float:
        times = server.cpu_times()
        return times.user + times.system

    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(WATCH % FIGURES)
    meter = context.new_cdp_session(page)
    meter.send("Performance.enable", {"timeDomain": "threadTicks"})
    before, start = processor(), time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector(FIGURES)
    page.wait_for_selector(COMPLETE)
    complete = time.perf_counter() - start
    metrics = {metric["name"]: metric["value"] for metric in meter.send("Performance.getMetrics")["metrics"]}
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1000
    figures = page.evaluate("window.firstFigures") / 1000
    result = Visit(paint, figures, complete, processor() - before, metrics["TaskDuration"])
    context.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True)
    parser.add_argument("--visits", type=int, default=5)
    parser.add_argument("--tabs", default=",".join(TABS))
    parser.add_argument("--port", type=int, default=8765)
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    say(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    say(f"{'':18}{'paint':>9}{'figures':>9}{'complete':>9}{'server':>9}{'browser':>9}")
    with serve(options.database, options.port) as server, sync_playwright() as playwright:
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
