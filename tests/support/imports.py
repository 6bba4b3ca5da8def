"""Compare the import graph of the packages with the layers in `LAYERS`.

    python imports.py [ROOT] [--edges] [--table]

A component is a folder of modules, or a module at the top of a package. It imports only components in lower layers;
components in one layer do not import each other. Imports within functions count like those at the top of a module.
Imports under `TYPE_CHECKING` follow the same rules and are counted separately.
"""

from __future__ import annotations

import argparse
import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGES = ("dataset_builders", "cube_model", "push_scripts", "dialogue_cube")

LAYERS: dict[str, tuple[str, ...]] = {
    "dataset_builders": (
        "common",
        "schema licenses",
        "text folder arrow",
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
        "errors machine",
        "_command",
        "core metrics clustering",
        "teacher",
        "card vectors",
        "data",
        "inference flow",
        "training intents",
        "embedder evaluation assistant",
        "evaluation.baselines evaluation.intents serving",
        "evaluation.leaderboard evaluation.benchmark",
        "train cli demo",
    ),
}
"""Package -> its layers, the lowest first, each with its components."""

SELF_CONTAINED = ("cube_model.core", "cube_model.metrics")
"""Components that import no other component."""

SHARED = "dataset_builders.common"
"""The one component of `dataset_builders` that all of `cube_model` may import."""

EXCEPTIONS = {
    "cube_model.data.own_rows": "dataset_builders",
    "cube_model.data.own_utterances": "dataset_builders",
    "cube_model.card.licenses": "dataset_builders",
}
"""Module -> another package of which it may import all."""


class ImportGraph:
    """Modules, components and imports of a checkout.

    Args:
        root: Folder with the packages.
    """

    def __init__(self, root: Path) -> None:
        self.files: dict[str, Path] = {}
        for package in PACKAGES:
            paths = [root / f"{package}.py"] if (root / f"{package}.py").exists() else (root / package).rglob("*.py")
            for path in paths:
                name = ".".join(path.relative_to(root).with_suffix("").parts)
                self.files[name.removesuffix(".__init__")] = path
        self.components = {module: self._component(module) for module in self.files}
        self.imports: dict[tuple[str, str], set[bool]] = defaultdict(set)
        for module, path in self.files.items():
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for target, for_types in self._targets(module, tree, False):
                if target != module:
                    self.imports[module, target].add(for_types)

    def _component(self, module: str) -> str:
        """Return the innermost component of `LAYERS` with the module; the package for its `__init__`."""
        package, _, rest = module.partition(".")
        names = [name for layer in LAYERS.get(package, ()) for name in layer.split()]
        within = [name for name in names if rest == name or rest.startswith(name + ".")]
        if within:
            return f"{package}.{max(within, key=len)}"
        return package if not rest or package not in LAYERS else f"{package}.{rest.split('.')[0]}"

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

    def edges(self, *, types: bool) -> set[tuple[str, str]]:
        """Return (component, imported component): imports at run time, or with `types` those for type checkers only."""
        edges: dict[tuple[str, str], set[bool]] = defaultdict(set)
        for (a, b), kinds in self.imports.items():
            if self.components[a] != self.components[b]:
                edges[self.components[a], self.components[b]] |= kinds
        return {edge for edge, kinds in edges.items() if (kinds == {True}) == types}

    def layer(self, component: str) -> int | None:
        """Return the number of the layer; None for a component that `LAYERS` lacks."""
        package, _, rest = component.partition(".")
        return next((i for i, layer in enumerate(LAYERS.get(package, ())) if rest in layer.split()), None)

    def forbidden(self) -> list[tuple[str, str, bool]]:
        """Return the forbidden imports: module, imported module, whether for type checkers only."""
        return sorted((a, b, k == {True}) for (a, b), k in self.imports.items() if not self._is_allowed(a, b))

    def _is_allowed(self, module: str, target: str) -> bool:
        a, b = self.components[module], self.components[target]
        own, other = module.partition(".")[0], target.partition(".")[0]
        if a == b or own == "dialogue_cube":
            return True
        if a in SELF_CONTAINED:
            return False
        if own == other:
            if own not in LAYERS:
                return True
            low, high = self.layer(b), self.layer(a)
            return a == own or (low is not None and high is not None and low < high)
        if own == "push_scripts":
            return True
        return own == "cube_model" and other == "dataset_builders" and (b == SHARED or module in EXCEPTIONS)

    def without_layer(self) -> list[str]:
        """Return the components that `LAYERS` lacks."""
        components = set(self.components.values())
        packages = {component for component in components if "." not in component}
        return sorted({c for c in components if self.layer(c) is None} - packages - {"push_scripts"})

    def cycles(self, *, modules: bool = False, types: bool = True) -> list[list[str]]:
        """Return the components (or modules) that import each other in cycles.

        The `__init__` of a package does not count, since it imports names on first use.
        """
        edges: dict[str, set[str]] = defaultdict(set)
        for (a, b), kinds in self.imports.items():
            x, y = (a, b) if modules else (self.components[a], self.components[b])
            if x != y and (types or False in kinds) and a not in PACKAGES:
                edges[x].add(y)
        return strongly_connected(edges)

    def height(self) -> int:
        """Return the number of layers that the imports need: the length of the longest path without cycles."""
        imported: dict[str, set[str]] = defaultdict(set)
        for a, b in self.edges(types=False) | self.edges(types=True):
            imported[a].add(b)
        heights: dict[str, int] = {}

        def height_of(component: str, path: tuple[str, ...] = ()) -> int:
            if component not in heights:
                path = (*path, component)
                heights[component] = 1 + max((height_of(b, path) for b in imported[component] - {*path}), default=0)
            return heights[component]

        return max(map(height_of, set(self.components.values())))


def strongly_connected(edges: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of two or more nodes that reach each other."""
    reach: dict[str, set[str]] = {}
    for start in edges:
        reachable, stack = set[str](), [start]
        while stack:
            for node in edges.get(stack.pop(), ()):
                if node not in reachable:
                    reachable.add(node)
                    stack.append(node)
        reach[start] = reachable
    groups = {tuple(sorted({b for b in reach[a] if a in reach.get(b, ())})) for a in edges if a in reach[a]}
    return [list(group) for group in sorted(groups) if len(group) > 1]


def table() -> str:
    """Return `LAYERS` as a Markdown table with one row per layer, the lowest first."""
    header = "| layer | " + " | ".join(f"`{package}/`" for package in LAYERS) + " |"
    rows = [header, "|---:" + "|---" * len(LAYERS) + "|"]
    for number in range(max(map(len, LAYERS.values()))):
        cells = (layers[number].split() if number < len(layers) else [] for layers in LAYERS.values())
        texts = (", ".join(f"`{name.replace('.', '/')}`" for name in cell) for cell in cells)
        rows.append(f"| {number} | " + " | ".join(texts) + " |")
    return "\n".join(rows)


def main() -> None:
    """Print figures of the import graph, or the table of `CONTRIBUTING.md`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=Path, nargs="?", default=Path())
    parser.add_argument("--edges", action="store_true", help="list all imports between components")
    parser.add_argument(
        "--table", action="store_true", help="print the layers as the Markdown table of CONTRIBUTING.md"
    )
    options = parser.parse_args()
    if options.table:
        print(table())
        return
    graph = ImportGraph(options.root.resolve())
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in graph.files.values())
    runtime, types_only = graph.edges(types=False), graph.edges(types=True)
    components = set(graph.components.values())
    print(f"{len(graph.files)} files, {lines} lines, {len(components)} components, {graph.height()} layers")
    print({package: sum(c.partition(".")[0] == package for c in components) for package in PACKAGES})
    print(f"{len(runtime) + len(types_only)} edges, {len(types_only)} of them for type checkers only")
    for name, modules in (("components", False), ("modules", True)):
        cycles, runtime_cycles = graph.cycles(modules=modules), graph.cycles(modules=modules, types=False)
        print(f"cycles of {name}: {cycles}; at run time: {runtime_cycles}")
    print(f"components without a layer: {graph.without_layer()}")
    for module, target, types in graph.forbidden():
        print(f"forbidden: {module} -> {target}{' (types)' if types else ''}")
    if options.edges:
        for edge in sorted(runtime | types_only):
            print(f"{edge[0]} -> {edge[1]}{' (types)' if edge in types_only else ''}")


if __name__ == "__main__":
    main()
