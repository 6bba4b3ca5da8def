"""The import graph of the packages against one table of rooms: who may import whom.

    python imports.py [ROOT] [--arrows] [--table]

A room is a folder of modules or one of the named modules at the top of a package. `ORDER` lists the floors from the
ground up: a room imports rooms of lower floors only, rooms of one floor do not import each other. Imports within
functions count as those at the top; those under `TYPE_CHECKING` are counted by themselves and obey the same order.
"""

from __future__ import annotations

import argparse
import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("dataset_builders", "cube_model", "push_scripts", "dialogue_cube")

ORDER: dict[str, tuple[str, ...]] = {
    "dataset_builders": (
        "common",
        "schema licenses",
        "text folder",
        "sources",
        "pretrain downstream own_data sample",
        "pairs sql",
        "quality survey",
        "card database",
        "corpus",
        "pipeline",
        "dashboard notebooks",
        "cli",
    ),
    "cube_model": (
        "errors _quiet machine",
        "_command",
        "core metrics",
        "teacher",
        "vectors",
        "data",
        "inference",
        "training",
        "embedder evaluation",
        "evaluation.baselines evaluation.intents",
        "evaluation.leaderboard",
        "train dashboard cli demo",
    ),
}
"""Rooms of a package by floor, the ground floor first."""

ALONE = ("cube_model.core", "cube_model.metrics")
"""Rooms that import nothing of ours."""

SHARED = "dataset_builders.common"
"""The one room of the data side that all of `cube_model` may import."""

DOORS = {"cube_model.data.own_rows": "dataset_builders"}
"""Modules that may import all of another package."""


class House:
    """Modules, rooms and arrows of a checkout.

    Args:
        root: Folder that holds the packages.
    """

    def __init__(self, root: Path) -> None:
        self.files: dict[str, Path] = {}
        for package in PACKAGES:
            paths = [root / f"{package}.py"] if (root / f"{package}.py").exists() else (root / package).rglob("*.py")
            for path in paths:
                name = ".".join(path.relative_to(root).with_suffix("").parts)
                self.files[name.removesuffix(".__init__")] = path
        self.rooms = {module: self._room(module) for module in self.files}
        self.imports: dict[tuple[str, str], set[bool]] = defaultdict(set)
        for module, path in self.files.items():
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for target, for_types in self._targets(module, tree, False):
                if target != module:
                    self.imports[module, target].add(for_types)

    def _room(self, module: str) -> str:
        """Longest row of `ORDER` that the module lies in; a package's own `__init__` is its front."""
        package, _, rest = module.partition(".")
        names = [name for floor in ORDER.get(package, ()) for name in floor.split()]
        within = [name for name in names if rest == name or rest.startswith(name + ".")]
        if within:
            return f"{package}.{max(within, key=len)}"
        return package if not rest or package not in ORDER else f"{package}.{rest.split('.')[0]}"

    def _targets(self, module: str, node: ast.AST, for_types: bool) -> Iterator[tuple[str, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                for statement in child.body:
                    yield from self._targets(module, ast.Module([statement], []), True)
                continue
            if isinstance(child, ast.Import):
                names = [alias.name for alias in child.names]
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                if child.level:
                    own = module.split(".") if self.files[module].name == "__init__.py" else module.split(".")[:-1]
                    base = ".".join([*own[: len(own) - child.level + 1], *([base] if base else [])])
                names = [f"{base}.{a.name}" if f"{base}.{a.name}" in self.files else base for a in child.names]
            else:
                yield from self._targets(module, child, for_types)
                continue
            yield from ((name, for_types) for name in names if name in self.files)

    def arrows(self, *, types: bool) -> set[tuple[str, str]]:
        """Rooms that import rooms: at run time, or with `types` for type checkers only."""
        rooms: dict[tuple[str, str], set[bool]] = defaultdict(set)
        for (a, b), kinds in self.imports.items():
            if self.rooms[a] != self.rooms[b]:
                rooms[self.rooms[a], self.rooms[b]] |= kinds
        return {pair for pair, kinds in rooms.items() if (kinds == {True}) == types}

    def floor(self, room: str) -> int | None:
        """Number of the floor, None for a room that the table does not name."""
        package, _, rest = room.partition(".")
        return next((i for i, floor in enumerate(ORDER.get(package, ())) if rest in floor.split()), None)

    def forbidden(self) -> list[tuple[str, str, bool]]:
        """Imports against the table: module, imported module, whether for types only."""
        return sorted((a, b, k == {True}) for (a, b), k in self.imports.items() if not self._may(a, b))

    def _may(self, module: str, target: str) -> bool:
        a, b = self.rooms[module], self.rooms[target]
        own, other = module.partition(".")[0], target.partition(".")[0]
        if a == b or own == "dialogue_cube":
            return True
        if a in ALONE:
            return False
        if own == other:
            if own not in ORDER:
                return True
            low, high = self.floor(b), self.floor(a)
            return a == own or (low is not None and high is not None and low < high)
        if own == "push_scripts":
            return True
        return own == "cube_model" and other == "dataset_builders" and (b == SHARED or module in DOORS)

    def unnamed(self) -> list[str]:
        """Rooms that the table lacks."""
        packages = {room for room in self.rooms.values() if "." not in room}
        return sorted({r for r in self.rooms.values() if self.floor(r) is None} - packages - {"push_scripts"})

    def circles(self, *, modules: bool = False, types: bool = True) -> list[list[str]]:
        """Rooms (or modules) that reach each other; a package's front, which loads names when they are used, is not one."""
        edges: dict[str, set[str]] = defaultdict(set)
        for (a, b), kinds in self.imports.items():
            x, y = (a, b) if modules else (self.rooms[a], self.rooms[b])
            if x != y and (types or False in kinds) and a not in PACKAGES:
                edges[x].add(y)
        return strongly_connected(edges)

    def height(self) -> int:
        """Floors that the rooms need: the longest way down, circles counted as one."""
        pairs = {p for types in (False, True) for p in self.arrows(types=types)}
        below: dict[str, set[str]] = defaultdict(set)
        for a, b in pairs:
            below[a].add(b)
        depth: dict[str, int] = {}

        def deep(room: str, above: tuple[str, ...] = ()) -> int:
            if room not in depth:
                depth[room] = 1 + max(
                    (deep(b, (*above, room)) for b in below[room] if b not in (*above, room)), default=0
                )
            return depth[room]

        return max(map(deep, set(self.rooms.values())))


def strongly_connected(edges: dict[str, set[str]]) -> list[list[str]]:
    """Groups of more than one node that all reach each other."""
    reach: dict[str, set[str]] = {}
    for start in edges:
        seen, todo = set[str](), [start]
        while todo:
            for other in edges.get(todo.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        reach[start] = seen
    groups = {tuple(sorted({b for b in reach[a] if a in reach.get(b, ())})) for a in edges if a in reach[a]}
    return [list(group) for group in sorted(groups) if len(group) > 1]


def table() -> str:
    """`ORDER` as Markdown: a line a floor, the ground floor first."""
    rows = ["| floor | " + " | ".join(f"`{package}/`" for package in ORDER) + " |", "|---:" + "|---" * len(ORDER) + "|"]
    for number in range(max(map(len, ORDER.values()))):
        cells = (floors[number].split() if number < len(floors) else [] for floors in ORDER.values())
        shown = (", ".join(f"`{name.replace('.', '/')}`" for name in cell) for cell in cells)
        rows.append(f"| {number} | " + " | ".join(shown) + " |")
    return "\n".join(rows)


def main() -> None:
    """Print the measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path, nargs="?", default=Path())
    parser.add_argument("--arrows", action="store_true", help="every arrow between rooms")
    parser.add_argument("--table", action="store_true", help="the order as Markdown, as CONTRIBUTING.md shows it")
    a = parser.parse_args()
    if a.table:
        print(table())
        return
    house = House(a.root.resolve())
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in house.files.values())
    run, only_types = house.arrows(types=False), house.arrows(types=True)
    rooms = set(house.rooms.values())
    print(f"{len(house.files)} files, {lines} lines, {len(rooms)} rooms, {house.height()} floors")
    print({p: sum(r.partition(".")[0] == p for r in rooms) for p in PACKAGES})
    print(f"{len(run) + len(only_types)} arrows, {len(only_types)} of them for types only")
    print(f"circles of rooms: {house.circles()}; without types: {house.circles(types=False)}")
    print(
        f"circles of modules: {house.circles(modules=True)}; without types: {house.circles(modules=True, types=False)}"
    )
    print(f"rooms that the table lacks: {house.unnamed()}")
    for module, target, types in house.forbidden():
        print(f"against the order: {module} -> {target}{' (types)' if types else ''}")
    if a.arrows:
        for x, y in sorted(run | only_types):
            print(f"{x} -> {y}{' (types)' if (x, y) in only_types else ''}")


if __name__ == "__main__":
    main()
