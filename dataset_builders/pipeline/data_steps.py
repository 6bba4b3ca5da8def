"""Raw files -> rows of each source -> duplicates over all -> quality and pairs of each -> dataset -> database."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from dataset_builders.folder import REPORT, check_replaceable, written_aside
from dataset_builders.pipeline.digests import code_digest, digest_of, signature
from dataset_builders.pipeline.steps import Product, Step
from dataset_builders.pipeline.workshop import OWN, Workshop, versions
from dataset_builders.registry import source_modules

DUPLICATES, DATASET, DATABASE = "duplicates and splits", "dataset", "database"
"""Names of steps."""

_BUILT = "built.json"

_HERE = "dataset_builders"
_READING = [f"{_HERE}/{name}.py" for name in ("source", "schema", "licenses", "readers", "raw_files", "parsed")]
_ROWS = [
    *_READING,
    *(f"{_HERE}/{name}.py" for name in ("built", "decisions", "encoder", "normalize", "options", "pair_keys", "pairs")),
    *(f"{_HERE}/{name}.py" for name in ("same_intent", "splits", "survey*", "writing")),
    f"{_HERE}/quality/**/*.py",
    f"{_HERE}/pipeline/fragments.py",
]
_FOLDER = [
    *_ROWS,
    *(f"{_HERE}/{name}.py" for name in ("build", "build_report", "folder", "hard_negatives", "parquet", "sinks")),
    f"{_HERE}/card*",
]
_DATABASE = [f"{_HERE}/database/*.py", f"{_HERE}/sql/**/*.sql"]
"""Code that a step's result depends on, as glob patterns."""


def source_step(name: str) -> str:
    """Name of the step that reads a source."""
    return f"source: {name}"


def rows_step(name: str) -> str:
    """Name of the step that judges the rows of a source and makes its pairs."""
    return f"quality and pairs: {name}"


def data_steps(shop: Workshop, sources: Mapping[str, str | None]) -> list[Step]:
    """The steps from raw files to dataset and database, in order."""
    steps = []
    for name, config in sources.items():
        if shop.config.raw_dir is None and name != OWN:
            steps.append(_download(shop, name, config))
        steps.append(_read(shop, name, config))
    steps.append(_duplicates(shop, sources))
    steps += [_rows(shop, name, config) for name, config in sources.items()]
    steps.append(_dataset(shop, list(sources)))
    return [*steps, _database(shop)] if shop.config.database else steps


def _download(shop: Workshop, name: str, config: str | None) -> Step:
    module = f"{_HERE}/{source_modules()[name]}"

    def inputs() -> dict[str, str]:
        # addresses and digests of the files stand in the source's module and in the table beside it
        files = code_digest(module, module.replace(".py", "_files.tsv"))
        return {"config": config or "default", "list of files": files}

    def run() -> Product:
        from dataset_builders.download import download

        download(
            [f"{name}:{config}" if config else name],
            shop.raw_folder(name).parent,
            lambda file, done, total: shop.progress(f"downloading {file.path}", done, total or done),
        )
        return Product()

    return Step(_download_step(name), inputs, run, (shop.raw_folder(name),))


def _download_step(name: str) -> str:
    return f"download: {name}"


def _read(shop: Workshop, name: str, config: str | None) -> Step:
    def inputs() -> dict[str, str]:
        code = [*_READING, f"{_HERE}/own_data/*.py" if name == OWN else f"{_HERE}/{source_modules()[name]}"]
        own = {f"own.{key}": repr(value) for key, value in vars(shop.config.own).items()} if name == OWN else {}
        own.pop("own.path", None)
        return {
            **shop.files.below(shop.raw_folder(name), "raw file"),
            "config": config or "default",
            **own,
            "code": code_digest(*code),
            **dict(versions("datasets", "pyarrow")),
        }

    def run() -> Product:
        parsed = shop.parsed(name, config)
        if name == OWN:
            from dataset_builders.build import write_rejects_of

            write_rejects_of(shop.place.dataset, shop.own_builders(), shop.warn)
        kept = [signature(Path(source.builder.cache_dir)) for source in parsed]
        size = sum(file[0] for files in kept for file in files.values())
        return Product(digest_of(source.builder.hash or "" for source in parsed), size)

    downloads = shop.config.raw_dir is None and name != OWN
    return Step(source_step(name), inputs, run, needs=(_download_step(name),) if downloads else ())


def _duplicates(shop: Workshop, sources: Mapping[str, str | None]) -> Step:
    place = shop.place.own / "survey"

    def inputs() -> dict[str, str]:
        given = shop.config.dataset
        return {
            **_there(shop, sources, source_step, "rows of"),
            "dataset.seed": str(given.seed),
            "dataset.split_policy": given.split_policy,
            "code": code_digest(*_ROWS),
            **dict(versions("rensa", "numpy", "pyarrow")),
        }

    def run() -> Product:
        from dataset_builders.survey import survey

        there = [name for name in sources if shop.stamps.get(source_step(name))]
        parsed = [source for name in there for source in shop.parsed(name, sources[name])]
        found = survey(parsed, shop.options(), shop.progress)
        with written_aside(place) as folder:
            found.save(folder)
        return Product()

    return Step(DUPLICATES, inputs, run, (place,), joins=tuple(map(source_step, sources)))


def _rows(shop: Workshop, name: str, config: str | None) -> Step:
    place = shop.place.own / "rows" / name
    survey = shop.place.own / "survey"

    def inputs() -> dict[str, str]:
        # own data may be two sources under names of its own
        about = [p for p in survey.iterdir() if p.is_dir() and (p.name if p.name in source_modules() else OWN) == name]
        decided = [digest for folder in sorted(about) for digest in shop.files.below(folder, folder.name).values()]
        return {
            f"rows of {name}": shop.stamps.digest(source_step(name)),
            "duplicates and splits of its rows": digest_of(decided),
            **_options(shop),
            "code": code_digest(*_ROWS),
            **dict(versions("datasets", "pyarrow", "py3langid", "ftfy")),
            **(dict(versions("torch", "transformers")) if shop.config.dataset.encoder else {}),
        }

    def run() -> Product:
        from dataset_builders.decisions import Decisions
        from dataset_builders.pipeline.fragments import FragmentWriter
        from dataset_builders.writing import write_source

        options, encoder = shop.options(), shop.encoder()
        with written_aside(place) as folder:
            for source in shop.parsed(name, config):
                own = source.builder.INFO.name
                shop.progress(f"judging {own}", 0, 1)
                decisions = Decisions.load(survey / own)
                with FragmentWriter(folder / own) as kept:
                    built = write_source(source, decisions, options, kept, encoder)
                built.save(folder / own / _BUILT)
        return Product()

    return Step(rows_step(name), inputs, run, (place,), needs=(source_step(name), DUPLICATES))


def _dataset(shop: Workshop, sources: list[str]) -> Step:
    rows, survey, out = shop.place.own / "rows", shop.place.own / "survey", shop.place.dataset

    def inputs() -> dict[str, str]:
        figures = [shop.files.of(path) for path in sorted(survey.iterdir()) if path.is_file()]
        return {
            **_there(shop, sources, rows_step, "rows and pairs of"),
            "duplicates over all": digest_of(figures),
            **_options(shop),
            "dataset.hard_negatives": str(shop.config.dataset.hard_negatives),
            "licenses": ", ".join(shop.config.licenses),
            "code": code_digest(*_FOLDER),
            **dict(versions("dialogue-cube", "pyarrow")),
        }

    def run() -> Product:
        from dataset_builders.build import finish_folder, warn_of_differences
        from dataset_builders.built import Built
        from dataset_builders.decisions import Survey
        from dataset_builders.pipeline.fragments import replay
        from dataset_builders.sinks import FolderWriter

        check_replaceable(out)
        there = [name for name in sources if shop.stamps.get(rows_step(name))]
        found = [folder for name in there for folder in sorted((rows / name).iterdir()) if folder.is_dir()]
        results = {folder: Built.load(folder / _BUILT) for folder in found}
        found.sort(key=lambda folder: results[folder].info.kind != "dialogues")  # the order of the rows
        with written_aside(out) as folder:
            writer = FolderWriter(folder)
            for done, place in enumerate(found):
                shop.progress(f"writing {place.name}", done, len(found))
                replay(place, writer)
            ordered = [results[place] for place in found]
            finish_folder(writer, ordered, Survey.load(survey, []), shop.options(), shop.encoder())
            for result in ordered:
                warn_of_differences(result, shop.warn)
        return Product(digest_of(shop.files.of(out / name) for name in (REPORT, "README.md")))

    return Step(DATASET, inputs, run, (out,), joins=tuple(map(rows_step, sources)))


def _database(shop: Workshop) -> Step:
    def inputs() -> dict[str, str]:
        return {"dataset": shop.stamps.digest(DATASET), "code": code_digest(*_DATABASE), **dict(versions("duckdb"))}

    def run() -> Product:
        from dataset_builders.database import build_database

        build_database(shop.place.dataset, shop.place.database, shop.progress)
        return Product()

    return Step(DATABASE, inputs, run, (shop.place.database,), needs=(DATASET,))


def _there(
    shop: Workshop, sources: Mapping[str, str | None] | list[str], step: Callable[[str], str], what: str
) -> dict[str, str]:
    """What the finished steps of the sources made."""
    return {f"{what} {name}": shop.stamps.digest(step(name)) for name in sources if shop.stamps.get(step(name))}


def _options(shop: Workshop) -> dict[str, str]:
    """What changes the rows of a source, by the names in the config."""
    given, config = shop.config.dataset, shop.config
    found = {f"dataset.{name}": _shown(value) for name, value in vars(given).items() if name != "hard_negatives"}
    if isinstance(given.quality, str) and Path(given.quality).is_file():
        found["dataset.quality"] = shop.files.of(Path(given.quality))
    return {
        **found,
        "languages": _shown(config.languages),
        "splits": _shown(config.splits),
        **shop.encoder_inputs("dataset.encoder", given.encoder),
    }


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
