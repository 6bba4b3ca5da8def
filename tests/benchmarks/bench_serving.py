"""Load a server on loopback: latency at a fixed rate of arrivals, and what ten times its capacity does to it.

    python tests/benchmarks/bench_serving.py --encoder minilm [--assistant A] [--rate 50] [--seconds 20] [--overload 10]
        [--server-cpus 0] [--client-cpus 1] [--options "--max-wait-ms 2"] [--json FILE]

The server is `dialogue-cube serve` in a process of its own. Requests arrive at random times at a fixed mean rate (a
Poisson process, seeded), whether or not earlier ones are answered, and their time counts from the moment at which they
should have been sent: a slow server cannot slow the clock down (no coordinated omission). The steps:

1. `rate` requests a second: p50, p99, statuses
2. capacity: 64 clients that ask without a pause, the requests a second that are answered, and the time of the
   processor that each takes
3. `overload` times the capacity: every answer has to be 200, or 429 with Retry-After; the peak of the server's memory

The client speaks HTTP/1.1 over asyncio's streams, since a library would need more of the processor than the server.
With one processor for both, the client takes a part of what the figures show; `reached` is the rate that it did reach.
"""

import argparse
import asyncio
import json
import os
import random
import re
import shlex
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from benchmarks.peak import say
from support.serving import free_port

CLIENTS = 64
WORDS = [
    "book",
    "a",
    "table",
    "for",
    "two",
    "near",
    "the",
    "river",
    "on",
    "friday",
    "night",
    "and",
    "tell",
    "me",
    "if",
    "my",
    "dog",
    "may",
    "come",
    "along",
    "please",
]


def questions(count, seed=0):
    """Requests of 4 to 16 words, which is the length of most questions to a support desk."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(4, 16))) + f" {number}?" for number in range(count)]


class Client:
    """Connections to a server, which are kept."""

    def __init__(self, port, path):
        self.port, self.path, self.idle = port, path, []

    async def ask(self, text):
        """Send a question; returns the status, and whether a refusal says when to come again."""
        key = "text" if self.path == "/reply" else "input"
        body = json.dumps({key: text}).encode()
        head = f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        reader, writer = self.idle.pop() if self.idle else await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(head.encode() + body)
            headers = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(re.search(r"content-length: (\d+)", headers)[1]))
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return "connection lost", False
        if "connection: close" in headers:
            writer.close()
        else:
            self.idle.append((reader, writer))
        return int(headers.split()[1]), "retry-after" in headers


async def open_loop(client, rate, seconds, seed=0):
    """Ask at random times with a mean rate; returns the statuses, the seconds of the answered ones, and the rate."""
    rng, statuses, times, tasks = random.Random(seed), Counter(), [], set()
    texts = questions(2000, seed)

    async def one(text, due):
        try:
            status, has_retry = await client.ask(text)
        except OSError as error:
            status, has_retry = type(error).__name__, False
        statuses[status if status != 429 or has_retry else "429 without Retry-After"] += 1
        if status == 200:
            times.append(time.perf_counter() - due)

    start = due = time.perf_counter()
    number = 0
    while due - start < seconds:
        due += rng.expovariate(rate)
        wait = due - time.perf_counter()
        if wait > 0 or number % 50 == 0:
            await asyncio.sleep(max(0, wait))
        task = asyncio.ensure_future(one(texts[number % len(texts)], due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        number += 1
        if time.perf_counter() - start > 2 * seconds:  # the client cannot keep up
            break
    reached = number / (time.perf_counter() - start)
    await asyncio.gather(*tasks)
    return statuses, times, reached


async def closed_loop(client, seconds):
    """Ask with 64 clients without a pause; returns the number of answered requests."""
    texts, answered, end = iter(questions(1_000_000 // 20) * 20), 0, time.perf_counter() + seconds

    async def one():
        nonlocal answered
        while time.perf_counter() < end:
            status, _ = await client.ask(next(texts))
            answered += status == 200

    await asyncio.gather(*(one() for _ in range(CLIENTS)))
    return answered


def processor_seconds(process):
    """Processor time of a process so far, which the load of the machine does not change."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Memory(threading.Thread):
    """Memory of a process, in MB: now, and the peak so far."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.file, self.peak = Path(f"/proc/{process}/status"), 0.0
        self.start()

    def now(self):
        return int(re.search(r"VmRSS:\s+(\d+)", self.file.read_text())[1]) / 1e3

    def run(self):
        while True:
            try:
                self.peak = max(self.peak, self.now())
            except (OSError, TypeError):  # the process has ended
                return
            time.sleep(0.05)


def started(options, port):
    """Start the server, and wait until it answers."""
    what = ["--assistant", options.assistant] if options.assistant else ["--encoder", options.encoder]
    command = [sys.executable, "-c", "import dialogue_cube; dialogue_cube.main()", "serve", *what, "--port", str(port)]
    command += shlex.split(options.options)
    if options.server_cpus:
        command = ["taskset", "-c", options.server_cpus, *command]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    asyncio.run(until_ready(port, process))
    return process


async def until_ready(port, process):
    for _ in range(600):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b" 200 " in await reader.readline()
            writer.close()
            return
        except OSError:
            assert process.poll() is None, "the server has ended"
            await asyncio.sleep(0.2)


def percentiles(times):
    if len(times) < 2:
        return {"p50_ms": None, "p99_ms": None}
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    return {"p50_ms": round(1e3 * cuts[49], 1), "p99_ms": round(1e3 * cuts[98], 1)}


async def steps(options, server, port, result):
    memory = Memory(server)
    client = Client(port, "/reply" if options.assistant else "/embed")
    for text in questions(50, seed=9):  # the first requests take longest
        await client.ask(text)
    before = processor_seconds(server)
    statuses, times, reached = await open_loop(client, options.rate, options.seconds)
    processor = 1e3 * (processor_seconds(server) - before) / statuses.total()
    result["steady"] = {"rate": options.rate, "reached": round(reached, 1), **percentiles(times), "statuses": statuses}
    result["steady"]["processor_ms_per_request"] = round(processor, 2)
    say(result["steady"])
    before = processor_seconds(server)
    answered = await closed_loop(client, options.seconds / 2)
    processor = 1e3 * (processor_seconds(server) - before) / max(1, answered)
    result["capacity"] = round(answered / (options.seconds / 2), 1)
    result["processor_ms_per_request_at_capacity"] = round(processor, 2)
    say("capacity", result["capacity"], "requests/s,", round(processor, 2), "ms of the processor each")
    if not options.overload:
        return
    memory.peak, before = 0.0, memory.now()
    statuses, times, reached = await open_loop(client, options.overload * result["capacity"], options.seconds / 2)
    result["overload"] = {
        **{"rate": round(options.overload * result["capacity"]), "reached": round(reached), **percentiles(times)},
        **{"statuses": statuses, "memory_before_mb": round(before), "memory_peak_mb": round(memory.peak)},
    }
    say(result["overload"])
    status, _ = await client.ask("are you still there?")
    result["afterwards"] = status
    say("afterwards", status)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--assistant")
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--overload", type=float, default=10)
    parser.add_argument("--server-cpus", default="")
    parser.add_argument("--client-cpus", default="")
    parser.add_argument("--options", default="")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.client_cpus:
        os.sched_setaffinity(0, {int(cpu) for cpu in options.client_cpus.split(",")})
    port = free_port()
    server = started(options, port)
    result = {"options": {name: str(value) for name, value in vars(options).items()}}
    try:
        asyncio.run(steps(options, server.pid, port, result))
    finally:
        server.terminate()
        server.wait(30)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
