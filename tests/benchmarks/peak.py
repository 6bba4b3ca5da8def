"""Peak memory of a benchmark, and its lines of output."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path


def say(*words: object) -> None:
    """Print a line at once."""
    sys.stdout.write(" ".join(str(word) for word in words) + "\n")
    sys.stdout.flush()


class Peak(threading.Thread):
    """Largest anonymous and file memory of this process, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.anonymous = self.mapped = 0.0
        self.start()

    def look(self) -> None:
        """Look once."""
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
        self.anonymous = max(self.anonymous, int(status["RssAnon"].split()[0]) / 1e3)
        self.mapped = max(self.mapped, int(status["RssFile"].split()[0]) / 1e3)

    def run(self) -> None:
        """Look 50 times a second."""
        while True:
            self.look()
            time.sleep(0.02)
