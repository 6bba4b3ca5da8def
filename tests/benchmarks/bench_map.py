"""Measure how fast a map of the dashboard is drawn, moved and searched in a real browser.

    python tests/benchmarks/bench_map.py --database FILE [--times 5] [--port 8766]

The database has a map by `dialogue-cube map`. Opens it in headless Chromium, which draws without a graphics card, and
prints the points and the bytes that the browser is sent, and medians: wall seconds, and processor seconds of the server
and of the browser's main thread. For each frame of moving it prints the milliseconds in which the map was painted, and
those of the main thread with everything else; below 16.7 ms a screen of 60 Hz misses no frame. Requires the extras
`dashboard` and `test`, and Chromium.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Callable

import psutil
from bench_dashboard import ANSWERED, Answer, chromium, main_thread, opened, processor, say, serve
from playwright.sync_api import CDPSession, Page, sync_playwright

FIND = """
() => {
    const within = root => {
        for (const element of root.querySelectorAll("*")) {
            if (element.classList.contains("map")) return element
            const inside = element.shadowRoot && within(element.shadowRoot)
            if (inside) return inside
        }
    }
    window.plane = within(document)
    return +plane.dataset.drawn
}
"""

# one event before each frame, as a mouse sends them; the canvas paints in the frame
MOVED = """
([frames, kind]) => new Promise(resolve => {
    const canvas = plane.querySelector("canvas"), box = canvas.getBoundingClientRect(), painted = []
    const place = {clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, bubbles: true}
    const step = number => {
        if (number) painted.push(+plane.dataset.milliseconds)
        if (number === frames) return resolve(painted)
        if (kind === "pan") canvas.dispatchEvent(new KeyboardEvent("keydown", {key: number % 20 < 10 ? "ArrowLeft" : "ArrowRight"}))
        if (kind === "zoom") canvas.dispatchEvent(new WheelEvent("wheel", {...place, deltaY: number % 20 < 10 ? -60 : 60}))
        if (kind === "hover") canvas.dispatchEvent(new PointerEvent("pointermove", {...place, clientX: place.clientX + number}))
        requestAnimationFrame(() => step(number + 1))
    }
    step(0)
})
"""


def frames(page: Page, meter: CDPSession, kind: str, number: int) -> tuple[float, float]:
    """Milliseconds of painting, median, and of the main thread, mean, by frame."""
    before = main_thread(meter)
    painted = page.evaluate(MOVED, [number, kind])
    return statistics.median(painted), 1000 * (main_thread(meter) - before) / number


def lasso(page: Page, number: int) -> None:
    """Draw a triangle, whose rows the page shows."""
    box = page.locator(".map canvas").bounding_box()
    assert box is not None
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(across, down)
    page.mouse.down()
    for x, y in ((60 + 5 * number, 0), (60, 60), (0, 60)):
        page.mouse.move(across + x, down + y, steps=4)
    page.mouse.up()


WORDS = ("hotel", "train", "music", "doctor", "refund", "weather")


def answer(page: Page, meter: CDPSession, server: psutil.Process, act: Callable[[], None]) -> Answer:
    """Do something, and wait until the page is complete."""
    before, thread = processor(server), main_thread(meter)
    page.evaluate(ANSWERED)
    act()
    wall = page.evaluate("window.answered")
    return Answer(wall, processor(server) - before, main_thread(meter) - thread)


def median(answers: list[Answer]) -> Answer:
    return Answer(*map(statistics.median, zip(*answers, strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--port", type=int, default=8766)
    options = parser.parse_args()
    options.vectors = None
    say(f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} of {os.cpu_count()} processors")
    with serve(options) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        say(f"{'':28}{'wall':>9}{'server':>9}{'browser':>9}")
        for visit in ("first visit", "another visit"):
            with opened(browser) as (page, meter):
                before = processor(server)
                page.goto(f"http://localhost:{options.port}/?tab=map", wait_until="commit")
                page.wait_for_selector(".map[data-drawn]")
                wall = page.evaluate("performance.now() / 1000")
                say(f"{visit:28}{Answer(wall, processor(server) - before, main_thread(meter))}")
        with opened(browser) as (page, meter):
            page.goto(f"http://localhost:{options.port}/?tab=map")
            page.wait_for_selector(".map[data-drawn]")
            page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
            points = page.evaluate(FIND)
            say(f"{f'{points:,} points, ms a frame':28}{'painting':>9}{'thread':>9}")
            for kind in ("pan", "zoom", "hover"):
                painted, thread = frames(page, meter, kind, options.frames)
                say(f"{kind:28}{painted:9.1f}{thread:9.1f}")
            say(f"{'':28}{'wall':>9}{'server':>9}{'browser':>9}")
            searches = []
            for word in WORDS[: options.times]:
                page.locator(".st-key-light input").fill(word)
                searches.append(answer(page, meter, server, lambda: page.keyboard.press("Enter")))
            say(f"{'light up a word':28}{median(searches)}")
            page.locator(".st-key-light input").fill("")
            answer(page, meter, server, lambda: page.keyboard.press("Enter"))
            page.get_by_role("button", name="Select with a lasso").click()
            areas = [answer(page, meter, server, lambda n=n: lasso(page, n)) for n in range(options.times)]
            say(f"{'lasso: the rows inside':28}{median(areas)}")
            answer(page, meter, server, page.get_by_role("button", name="Clear the selection").click)
            colours = [
                answer(page, meter, server, page.get_by_role("radio", name=name, exact=True).click)
                for name in ("Split", "Language", "Domain", "Intent", "Flag")[: options.times]
            ]
            say(f"{'another colour':28}{median(colours)}")
        browser.close()


if __name__ == "__main__":
    main()
