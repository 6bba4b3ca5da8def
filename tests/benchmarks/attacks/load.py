"""Load: many visitors, questions, vectors and rows. Nothing may fail, and memory stays bounded.

    python tests/benchmarks/attacks/load.py visitors 20        # a dashboard: each visitor opens a page, over its websocket
    python tests/benchmarks/attacks/load.py served 10000       # questions to `serve --assistant`, from 8 clients at a time
    python tests/benchmarks/attacks/load.py asked 10000        # questions to `ask --questions`
    python tests/benchmarks/attacks/load.py vectors 1000000    # an index of that many vectors: save, open, search
    python tests/benchmarks/attacks/load.py own 2000           # `build --own` of a file of that many MB

Prints the result, the seconds of the processor that the command has used, and the largest memory of its processes: what
it has allocated, and all resident pages, which include mapped files. All texts are invented; encoders are tiny.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import psutil

ROOT = Path(__file__).parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from benchmarks.bench_serving import Client, questions  # noqa: E402
from benchmarks.chats import SYLLABLES  # noqa: E402
from benchmarks.peak import Peak, say  # noqa: E402
from support.serving import free_port  # noqa: E402

CLIENTS = 8
THINGS = ("lamp", "chair", "kettle", "ladder", "table", "clock", "shelf", "bell", "rope", "brush")
COLOURS = ("red", "blue", "green", "white", "old", "small", "round", "tall", "grey", "heavy")


class Watched(threading.Thread):
    """A command in processes of its own, whose memory and processor time are watched."""

    def __init__(self, folder: Path, words: list[str]) -> None:
        super().__init__(daemon=True)
        code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import dialogue_cube; dialogue_cube.main()"
        self.log = (folder / "log.txt").open("w+b")
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "DIALOGUE_CUBE_CACHE": str(folder / "cache")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *words], cwd=folder, env=environment, stdout=self.log, stderr=self.log
        )
        self.allocated = self.resident = self.seconds = 0.0
        self.start()

    def run(self) -> None:
        """Look ten times a second."""
        while self.process.poll() is None:
            try:
                main = psutil.Process(self.process.pid)
                tree = [main, *main.children(recursive=True)]
                for process in tree:
                    status = dict(
                        line.split(":", 1)
                        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
                        if line.startswith("Rss")
                    )
                    self.allocated = max(self.allocated, int(status["RssAnon"].split()[0]) / 1e3)
                    self.resident = max(self.resident, process.memory_info().rss / 1e6)
                self.seconds = max(self.seconds, sum(sum(process.cpu_times()[:4]) for process in tree))
            except (psutil.Error, OSError, KeyError):
                pass
            time.sleep(0.1)

    def printed(self) -> str:
        """What the command has printed."""
        self.log.flush()
        return Path(self.log.name).read_text(errors="replace")

    def figures(self) -> str:
        """Memory and processor time."""
        return (
            f"{self.allocated:,.0f} MB allocated, {self.resident:,.0f} MB resident, {self.seconds:,.0f} s of processor"
        )


@contextmanager
def running(folder: Path, words: list[str], address: str) -> Iterator[Watched]:
    """Run a server until it answers at an address, and end it."""
    server = Watched(folder, words)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        while True:
            if server.process.poll() is not None:
                raise SystemExit(server.printed())
            try:
                opener.open(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.3)
        yield server
        if "Traceback" in server.printed():
            raise SystemExit(server.printed()[-3000:])
    finally:
        server.process.terminate()
        try:
            server.process.wait(60)
        except subprocess.TimeoutExpired:  # it finishes the pages of its visitors first
            server.process.kill()
            server.process.wait()


def run(folder: Path, words: list[str]) -> Watched:
    """Run a command to its end; it must succeed."""
    command = Watched(folder, words)
    command.process.wait()
    command.join()
    if command.process.returncode:
        raise SystemExit(command.printed()[-3000:])
    return command


def write_faq(file: Path, count: int) -> None:
    """Write invented questions with their answers as CSV."""
    with file.open("w") as stream:
        stream.write("question,answer\n")
        for number in range(count):
            thing = f"{COLOURS[number % 10]} {THINGS[number // 10 % 10]} {number}"
            stream.write(f"Where is the {thing} of the shop?,The {thing} is in hall {number % 7} near the door.\n")


def visitors(folder: Path, count: int) -> str:
    """All visitors open a page at the same time, and wait until it is complete."""
    write_faq(folder / "faq.csv", 2_000)
    run(folder, ["build", "--own", "faq.csv", "--language", "en", "--out", "data"])
    run(folder, ["database", "--data", "data", "--out", "corpus.duckdb"])
    port = free_port()
    words = ["dashboard", "--database", "corpus.duckdb", "--data", "data", "--no-browser", "--port", str(port)]
    with running(folder, words, f"http://localhost:{port}/_stcore/health") as server:
        idle = server.resident
        start = time.monotonic()
        outcomes = asyncio.run(_visits(port, count))
        seconds = time.monotonic() - start
        figures = f"{server.figures()} ({idle:,.0f} MB resident before the first)"
    return f"{count} visitors: {dict(outcomes)} in {seconds:,.0f} s; {figures}"


async def _visits(port: int, count: int) -> Counter[str]:
    tabs = ("dialogs", "pairs", "downstream", "quality", "explorer", "licences", "sql")
    return Counter(await asyncio.gather(*(_visit(port, tabs[number % len(tabs)]) for number in range(count))))


async def _visit(port: int, tab: str) -> str:
    """Open a page as a browser does: the page, then a session that runs the script until it has finished."""
    import websockets
    from streamlit.proto.BackMsg_pb2 import BackMsg
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    origin = f"http://localhost:{port}"
    message = BackMsg()
    message.rerun_script.query_string = f"tab={tab}"
    try:
        async with websockets.connect(
            f"ws://localhost:{port}/_stcore/stream",
            origin=origin,  # type: ignore[arg-type]
            subprotocols=["streamlit"],  # type: ignore[list-item]
            max_size=None,
            open_timeout=3600,
            ping_interval=None,
            proxy=None,
        ) as socket:
            await socket.send(message.SerializeToString())
            async with asyncio.timeout(3600):
                while True:
                    forward = ForwardMsg()
                    forward.ParseFromString(await socket.recv())
                    if forward.delta.new_element.WhichOneof("type") == "exception":
                        return f"error: {forward.delta.new_element.exception.message[:80]}"
                    if forward.WhichOneof("type") == "script_finished":
                        return "complete"
    except (OSError, websockets.WebSocketException, TimeoutError) as error:
        return type(error).__name__


def served(folder: Path, count: int) -> str:
    """Ask a server of an assistant."""
    _tiny(folder)
    write_faq(folder / "faq.csv", 200)
    run(folder, ["assistant", "build", "--own", "faq.csv", "--language", "en", "--encoder", "tiny", "--out", "a"])
    port = free_port()
    with running(
        folder, ["serve", "--assistant", "a", "--port", str(port)], f"http://localhost:{port}/health"
    ) as server:
        start = time.monotonic()
        statuses = asyncio.run(_questions(port, count))
        seconds = time.monotonic() - start
        figures = server.figures()
    return f"{count:,} questions to serve: {dict(statuses)} in {seconds:,.0f} s; {figures}"


async def _questions(port: int, count: int) -> Counter[Any]:
    client, waiting, statuses = Client(port, "/reply"), iter(questions(count)), Counter[Any]()

    async def ask() -> None:
        for text in waiting:
            status, _ = await client.ask(text)
            statuses[status] += 1

    await asyncio.gather(*(ask() for _ in range(CLIENTS)))
    return statuses


def asked(folder: Path, count: int) -> str:
    """Ask a core many questions at once."""
    _tiny(folder)
    write_faq(folder / "faq.csv", 2_000)
    run(folder, ["build", "--own", "faq.csv", "--language", "en", "--out", "data"])
    core = ["--teacher", "tiny", "--epochs", "1", "--validation", "split", "--quiet", "--output", "core"]
    run(folder, ["train", "--data", "data", *core])
    (folder / "q.jsonl").write_text("".join(json.dumps({"question": text}) + "\n" for text in questions(count)))
    words = ["ask", "--model", "core", "--data", "data", "--teacher", "tiny", "--questions", "q.jsonl"]
    command = run(folder, [*words, "--output", "answers.jsonl"])
    lines = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    answered = sum(bool(line.get("answers")) for line in lines)
    return f"{count:,} questions to ask: {answered:,} answered; {command.figures()}"


def vectors(folder: Path, count: int) -> str:
    """Save, open and search an index."""
    import numpy as np
    import pyarrow as pa

    from cube_model.inference.index import AnswerIndex
    from cube_model.inference.search import make_search

    peak, random, dimension = Peak(), np.random.default_rng(0), 384
    place = folder / "vectors.npy"
    rows = np.lib.format.open_memmap(place, "w+", np.float32, (count, dimension))
    for start in range(0, count, 100_000):
        part = random.standard_normal((min(100_000, count - start), dimension), dtype=np.float32)
        rows[start : start + len(part)] = part / np.linalg.norm(part, axis=1, keepdims=True)
    texts = pa.array([f"answer {number}" for number in range(count)])
    columns = {"text": texts, "source": pa.array(["own"] * count), "license": pa.array(["MIT"] * count)}
    table = pa.table({**columns, "redistributable": pa.array([True] * count)})
    rows = np.load(place, mmap_mode="r")
    AnswerIndex(table, make_search(rows, "exact"), {}).save(folder / "index")
    index = AnswerIndex.load(folder / "index", search="exact")
    wanted = np.arange(0, count, max(1, count // 20))
    found = index.search.nearest(np.asarray(rows[wanted]), 1)[0][:, 0]
    right, seconds = int((found == wanted).sum()), time.process_time()
    return (
        f"{count:,} vectors: {right} of {len(wanted)} found; {peak.anonymous:,.0f} MB allocated, "
        f"{peak.mapped:,.0f} MB mapped, {seconds:,.0f} s of processor"
    )


def own(folder: Path, megabytes: int) -> str:
    """Build from a large file of different texts; of nearly equal ones, all would be compared with each other."""
    written = number = 0
    random = Random(0)
    words = ["".join(random.choices(SYLLABLES, k=random.choice((1, 2, 3, 4)))) for _ in range(30_000)]
    sentences = [" ".join(random.choices(words, k=random.randint(5, 16))).capitalize() + "." for _ in range(20_000)]
    with (folder / "large.jsonl").open("w") as file:
        while written < megabytes * 1_000_000:
            question, answer = (" ".join(random.choices(sentences, k=12)) for _ in range(2))
            row = {"question": f"Order {number}: {question}", "answer": f"{answer} Ask at desk {number}."}
            written += file.write(json.dumps(row) + "\n")
            number += 1
    words_of_build = ["build", "--own", "large.jsonl", "--language", "und", "--out", "data", "--num-proc", "1"]
    command = run(folder, words_of_build)
    rows = json.loads((folder / "data" / "quality" / "report.json").read_text())["rows"]["pairs"]
    pairs = sum(counts["out"] for counts in rows.values())
    return f"own file of {written / 1e6:,.0f} MB: {number:,} records, {pairs:,} pairs; {command.figures()}"


def _tiny(folder: Path) -> None:
    from support.tiny_teacher import save_tiny_distilbert

    save_tiny_distilbert(folder / "tiny", 32)


PARTS = {"visitors": visitors, "served": served, "asked": asked, "vectors": vectors, "own": own}


def main() -> None:
    """Run a part, and print its line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("count", type=int)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        say(PARTS[arguments.part](Path(place), arguments.count))


if __name__ == "__main__":
    main()
