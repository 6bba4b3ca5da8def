"""The build context of the Dockerfile in the README: what the package and the image need, and no data."""

import re
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[3]


def test_the_build_context_is_what_the_image_needs():
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"  # what nobody has named stays out: data, tokens, environments
    context = {rule[1:] for rule in rules if rule.startswith("!")}

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, setuptools = settings["project"], settings["tool"]["setuptools"]
    modules = {f"{name}.py" for name in setuptools["py-modules"]}
    packages = {name.rstrip("*") for name in setuptools["packages"]["find"]["include"]}
    needed = {"pyproject.toml", project["readme"], *project["license-files"]} | modules | packages
    dockerfile = (ROOT / "cube_model" / "README.md").read_text().partition("```dockerfile\n")[2].partition("```")[0]
    copied = {source for source in re.findall(r"^COPY (\S+) ", dockerfile, re.MULTILINE) if source != "."}
    constraints = set(re.findall(r"-c /src/(\S+)", dockerfile))
    assert context == needed | copied | constraints
    assert all((ROOT / name).exists() for name in context - copied)
