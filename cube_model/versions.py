"""Which versions a result was made with."""

from __future__ import annotations

import platform


def versions() -> dict[str, str]:
    """Of Python, this project and the libraries that decide the numbers."""
    from importlib.metadata import PackageNotFoundError, version

    names = ("dialogue-cube", "torch", "transformers", "accelerate", "datasets", "numpy")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
