"""The code that a step depends on: its entry points in our packages and everything that they import.

The source is parsed, never imported. These count:

- All imports of a module, also inside functions, and the packages around it, which Python runs first.
- In the module of an entry point, only what that function needs, because the module may hold other commands.
- For `from package import name`, if the package loads the name on first use: the module that it imports the name from
  under `if TYPE_CHECKING:`. If the package itself is imported: all such modules.
- Files that are not Python, for a module that opens files beside it (it contains `__file__` or `files("package")`): all
  in its folder, except those named after another module (`sgd_files.tsv` belongs to `sgd.py`).

These do not count: imports under `if TYPE_CHECKING:` and `if __name__ == "__main__":`; other packages, whose versions
are separate inputs; progress bars; modules imported by a computed name, such as the sources in the registry. The step
that reads a source names the source's module; later steps depend on the product of that step.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builders.common.errors import DataError
from dataset_builders.pipeline.digests import FileDigests, digest_of

PACKAGES = ("cube_model", "dataset_builders", "dialogue_cube", "push_scripts")
"""Our packages, whose imports are followed."""

ONLY_DRAWS = ("dataset_builders.common.progress",)
"""Modules that are never followed, because no result depends on them: a finer bar is no reason to train again."""

_FILES = re.compile(rb"""\bfiles\(["']([\w.]+)["']\)""")
"""The call with which a module opens the files of a package."""

_ADVICE = "install dialogue-cube again, or correct the name in the pipeline"

_BLOCKS = ("body", "orelse", "handlers", "finalbody", "cases")
"""Fields of a statement that hold other statements."""


@dataclass(frozen=True)
class Entries:
    """Entry points of a step in the code.

    Attributes:
        names: Functions or classes as `package.module:name`, or whole modules as `package.module`.
        without: Modules and packages not to follow.
    """

    names: tuple[str, ...]
    without: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Source:
    """The references of a module, or of one name in it.

    Attributes:
        imports: `[module, name]` of each `from module import name`; the name of `import module` is empty.
        lazy: The same by name, for names that the module loads on first use.
        reads: Packages whose files it opens.
    """

    imports: list[list[str]]
    lazy: dict[str, list[str]]
    reads: list[str]


class Code:
    """The source code of our packages; each file is read when it is first needed.

    Args:
        files: Digests and imports, remembered between runs.
        root: Folder of the packages; None takes where they are installed.
    """

    def __init__(self, files: FileDigests, root: Path | None = None) -> None:
        self.root = root or Path(__file__).parents[2]
        self._files = files
        self._rules = files.of(Path(__file__))  # imports are read again if these rules change
        self._paths: dict[str, Path | None] = {}
        self._sources: dict[tuple[str, str], _Source] = {}
        self._beside: dict[str, list[tuple[Path, str]]] = {}
        self._digests: dict[Path, str] = {}

    def digest(self, entries: Entries) -> str:
        """Digest of all files that a step depends on.

        Raises:
            DataError: An entry point or an imported module does not exist.
        """
        files = self.files(entries)
        self._digests |= {file: self._files.of(file) for file in files if file not in self._digests}
        return digest_of(f"{file.relative_to(self.root).as_posix()} {self._digests[file]}" for file in files)

    def files(self, entries: Entries) -> list[Path]:
        """All files that a step depends on, sorted: modules and the files that they open beside them.

        Raises:
            DataError: An entry point or an imported module does not exist.
        """
        modules = set(self.modules(entries))
        packages = {package for module in modules for package in self._source(module).reads}
        data = (pair for package in packages for pair in self._data(package))
        return sorted(
            {self._file(m) for m in modules} | {file for file, owner in data if not owner or owner in modules}
        )

    def modules(self, entries: Entries) -> list[str]:
        """All modules that a step depends on, sorted.

        Raises:
            DataError: An entry point or an imported module does not exist.
        """
        for package in entries.without:
            self._file(package)  # a wrong name would exclude nothing
        without = (*entries.without, *ONLY_DRAWS)
        points = [entry.partition(":") for entry in entries.names]
        modules: set[str] = set()
        seen: set[tuple[str, str]] = set()
        todo: list[list[str]] = []

        def add(*names: str) -> None:
            for name in names:
                if name not in modules:
                    modules.add(name)
                    todo.extend(self._source(name).imports)

        for module, _, name in points:
            add(*_around(module))
            todo += self._source(module, name).imports
        while todo:
            module, name = todo.pop()
            is_excluded = any(f"{module}.".startswith(f"{package}.") for package in without)
            if is_excluded or (module, name) in seen:
                continue
            seen.add((module, name))
            if name and self._is_package(module) and self._find(f"{module}.{name}"):
                todo.append([f"{module}.{name}", ""])
            else:
                add(*_around(module), module)
                lazy = self._source(module).lazy
                todo += [target for export, target in lazy.items() if name in (export, "", "*")]
        return sorted(modules | {module for module, _, _ in points})

    def _source(self, module: str, name: str = "") -> _Source:
        if (module, name) not in self._sources:
            file = self._file(module)
            read = functools.partial(_read, package=module if self._is_package(module) else _parent(module), name=name)
            content = self._files.recall(file, f"imports of {module}:{name} by {self._rules}", read)
            if content is None:
                raise DataError(f"{file}: a step of the pipeline calls {name}, which does not exist; {_ADVICE}")
            self._sources[module, name] = _Source(**content)
        return self._sources[module, name]

    def _data(self, package: str) -> list[tuple[Path, str]]:
        """Files of a package that are not Python, each with the module that it is named after, or an empty name."""
        if package not in self._beside:
            folder = self._file(package).parent
            stems = [path.stem for path in folder.iterdir() if path.suffix == ".py" or _is_package(path)]
            self._beside[package] = []
            for file in _not_python(folder):
                name = file.relative_to(folder).parts[0]
                owners = [stem for stem in stems if re.match(rf"{re.escape(stem)}([._]|$)", name)]
                self._beside[package].append((file, f"{package}.{max(owners, key=len)}" if owners else ""))
        return self._beside[package]

    def _file(self, module: str) -> Path:
        if (file := self._find(module)) is None:
            raise DataError(f"{self.root}: a step of the pipeline needs {module}, which does not exist; {_ADVICE}")
        return file

    def _find(self, module: str) -> Path | None:
        if module not in self._paths:
            path = self.root.joinpath(*module.split("."))
            file = path / "__init__.py" if _is_package(path) else path.with_suffix(".py")
            self._paths[module] = file if file.is_file() else None
        return self._paths[module]

    def _is_package(self, module: str) -> bool:
        return self._file(module).name == "__init__.py"


def _is_package(folder: Path) -> bool:
    return (folder / "__init__.py").is_file()


def _parent(module: str) -> str:
    return module.rpartition(".")[0]


def _around(module: str) -> Iterator[str]:
    """The packages around a module."""
    while module := _parent(module):
        yield module


def _not_python(folder: Path) -> Iterator[Path]:
    """Files that are not Python, in a folder and in the folders below it that are not packages."""
    for path in folder.iterdir():
        if path.name.startswith((".", "__")) or path.suffix == ".py":
            continue
        if path.is_file():
            yield path
        elif not _is_package(path):
            yield from _not_python(path)


def _read(file: Path, package: str, name: str) -> dict[str, Any] | None:
    """The fields of `_Source` for a file or one name in it; None if the name does not exist.

    Args:
        file: The source file.
        package: Package at which its relative imports start.
        name: Name of a function or class; empty for the whole file.
    """
    text = file.read_bytes()
    tree = ast.parse(text, str(file))
    lazy: dict[str, list[str]] = {}
    if any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body):
        for node in tree.body:
            if isinstance(node, ast.If) and _is_type_checking(node.test):
                lazy |= dict(_imports(node.body, package))
    nodes = _needed(tree, name) if name else tree.body
    imports = [target for _, target in _imports(nodes, package)]
    if name in lazy:
        imports.append(lazy[name])
    elif name and not nodes:
        return None
    reads = [match.decode() for match in _FILES.findall(text)]
    if package and b"__file__" in text:
        reads.append(package)
    return {"imports": imports, "lazy": lazy, "reads": reads}


def _imports(nodes: Iterable[ast.AST], package: str) -> Iterator[tuple[str, list[str]]]:
    """Imports of our packages in some code: the name that each binds, and its `[module, name]`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            ours = (alias for alias in node.names if _is_ours(alias.name))
            yield from ((alias.asname or alias.name, [alias.name, ""]) for alias in ours)
        elif isinstance(node, ast.ImportFrom):
            start = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            if _is_ours(module):
                yield from ((alias.asname or alias.name, [module, alias.name]) for alias in node.names)
        elif isinstance(node, ast.If) and (_is_type_checking(node.test) or _is_main(node.test)):
            yield from _imports(node.orelse, package)
        else:
            for block in _BLOCKS:
                yield from _imports(getattr(node, block, ()), package)


def _needed(tree: ast.Module, name: str) -> list[ast.stmt]:
    """The statements of a module that bind a name, and those that bind the names that they need in turn."""
    bindings: dict[str, list[ast.stmt]] = {}
    for bound, part in (pair for statement in tree.body for pair in _bound(statement)):
        bindings.setdefault(bound, []).append(part)
    statements: list[ast.stmt] = []
    todo = [name]
    while todo:
        for statement in bindings.pop(todo.pop(), ()):
            statements.append(statement)
            todo += [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
    return statements


def _bound(statement: ast.stmt) -> Iterator[tuple[str, ast.stmt]]:
    """Names that a statement binds, each with its binding: the statement, or the part of an import for that name."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name, statement
    elif isinstance(statement, ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name, ast.ImportFrom(statement.module, [alias], statement.level)
    else:
        for node in ast.walk(statement):
            if isinstance(node, ast.alias):
                yield node.asname or node.name.partition(".")[0], statement
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id, statement


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in PACKAGES


def _is_type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", None), getattr(test, "attr", None))


def _is_main(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and getattr(test.left, "id", None) == "__name__"
