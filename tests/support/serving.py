"""Run a command that serves a page on this machine."""

import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import pytest


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(command, port, path, log, **options):
    """Run a command until the page at `path` answers, yield its address, and check its log at the end.

    Args:
        command: Command and its arguments.
        port: Port that the command listens on.
        path: Path of a page that answers once the server has started.
        log: File for the output of the command.
        options: Options of `subprocess.Popen`.
    """
    address = f"http://localhost:{port}"
    # `urlopen` keeps the proxies of its first call in the process, and other tests name a proxy that does not exist
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with log.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, **options)
    try:
        for _ in range(1200):  # minutes, where every library is compiled for the first time
            assert server.poll() is None, log.read_text()
            try:
                opener.open(address + path, timeout=1).close()
                break
            except OSError as error:
                problem = error
                time.sleep(0.2)
        else:
            pytest.fail(f"{address}{path} does not answer ({problem}): {log.read_text()}")
        yield f"{address}/"
        assert "Traceback" not in log.read_text()
    finally:
        server.terminate()
        server.wait(20)
