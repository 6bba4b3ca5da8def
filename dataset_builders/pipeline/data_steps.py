"""The steps of the data: raw files -> rows -> duplicates -> quality and pairs -> dataset -> database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

from dataset_builders.common.decisions import RowDecisions
from dataset_builders.common.outputs import OutputKind, output_folder
from dataset_builders.folder.layout import DATASET as DATASET_FOLDER
from dataset_builders.folder.layout import REPORT
from dataset_builders.pipeline.code import PACKAGES, Code, Entries
from dataset_builders.pipeline.context import OWN, Context, versions
from dataset_builders.pipeline.digests import DIGEST, digest_of, signature
from dataset_builders.pipeline.steps import Product, Step
from dataset_builders.sources.registry import source_modules

DUPLICATES, DATASET, DATABASE = "duplicates and splits", "dataset", "database"
"""Names of steps."""

_BUILT = "built.json"

_INTERMEDIATE = OutputKind(
    "`dialogue-cube pipeline`",
    "--out",
    lambda folder: any((above / "steps").is_dir() for above in folder.parents[:3]),
    ("figures.json", "members-*.arrow", "*/*.arrow", _BUILT, f"*/{_BUILT}", "members.parquet"),  # the last: 0.1.0
)
"""Folders that the pipeline keeps between runs: the survey, and the finished rows of each source."""

_READING = ("dataset_builders.sources.registry:get_builder", "dataset_builders.survey.parsed:parse")
OWN_DATA = "dataset_builders.own_data"
"""The package that reads own data."""

_OWN_LIBRARIES = ("ijson", "inscriptis", "python-calamine", "py3langid")
"""Libraries on which the rows of own data, or their refusal, depend."""


def source_step(name: str) -> str:
    """Name of the step that reads a source."""
    return f"source: {name}"


def rows_step(name: str) -> str:
    """Name of the step that filters the rows of a source and makes its pairs."""
    return f"quality and pairs: {name}"


def data_code(sources: Iterable[str], encoder: Iterable[str] = ()) -> dict[str, Entries]:
    """Entry points of each step in the code: the functions that it calls, by its name.

    Code that only drives a step (its `run`, the context, atomic writes) does not count. Neither does the code of the
    sources in later steps: these depend on the product of the step that reads the source.

    Args:
        sources: Names of the sources; `OWN` for own data.
        encoder: Functions that load the encoder, if there is one.
    """
    entries = {}
    for name in sources:
        if name == OWN:
            from dataset_builders.own_data.formats.registry import format_modules

            own = (f"{OWN_DATA}.settings:OwnSettings", "dataset_builders.corpus.finish:write_rejects_of")
            parse = "dataset_builders.survey.parsed:parse"
            entries[source_step(name)] = Entries((*own, *format_modules(), parse))
        else:
            module = source_modules()[name]
            entries[_download_step(name)] = Entries((module, "dataset_builders.sources.download:download"))
            entries[source_step(name)] = Entries((module, *_READING))
        rows = ("dataset_builders.corpus.writing:write_shard", "dataset_builders.corpus.shards:ShardFiles")
        entries[rows_step(name)] = Entries((*_READING, *rows, *encoder), () if name == OWN else (OWN_DATA,))
    dataset = ("dataset_builders.corpus.finish:finish_folder", "dataset_builders.corpus.finish:warn_of_differences")
    return {
        **entries,
        DUPLICATES: Entries((*_READING, "dataset_builders.survey.survey:survey")),
        DATASET: Entries((*dataset, "dataset_builders.corpus.fragments:by_source", *encoder)),
        DATABASE: Entries(("dataset_builders.database:build_database",)),
    }


def data_steps(context: Context, sources: Mapping[str, str | None]) -> list[Step]:
    """The steps from raw files to dataset and database, in order."""
    encoder, needs = _encoder(context)
    source, entries = Code(context.files), data_code(sources, encoder)

    def code(step: str) -> str:
        # read now rather than when the step begins: an earlier step may import the code
        return source.digest(entries[step])

    steps = []
    for name, config in sources.items():
        if context.config.raw_dir is None and name != OWN:
            steps.append(_download(context, name, config, code(_download_step(name))))
        steps.append(_read(context, name, config, code(source_step(name))))
    steps.append(_duplicates(context, sources, code(DUPLICATES)))
    steps += [_rows(context, name, config, code(rows_step(name)), needs) for name, config in sources.items()]
    steps.append(_dataset(context, list(sources), code(DATASET), needs))
    return [*steps, _database(context, code(DATABASE))] if context.config.database else steps


def _encoder(context: Context) -> tuple[list[str], dict[str, str]]:
    """The functions that may load the encoder, and versions of the packages that they need."""
    if not context.config.dataset.encoder:
        return [], {}
    from dataset_builders.pairs.encoder import ENTRY_POINTS

    offers = sorted(entry_points(group=ENTRY_POINTS), key=lambda offer: offer.name)
    ours = [f"{offer.module}:{offer.attr}" for offer in offers if offer.module.partition(".")[0] in PACKAGES]
    others = {offer.dist.name for offer in offers if offer.dist} - {"dialogue-cube"}
    return ours, dict(versions("torch", "transformers", *sorted(others)))


def _download(context: Context, name: str, config: str | None, code: str) -> Step:
    def inputs() -> dict[str, str]:
        return {"config": config or "default", "code and list of files": code}

    def run() -> Product:
        from dataset_builders.sources.download import download

        download(
            [f"{name}:{config}" if config else name],
            context.raw_folder(name).parent,
            lambda file, done, total: context.progress(f"downloading {file.path}", done, total or done),
        )
        return Product()

    return Step(_download_step(name), inputs, run, (context.raw_folder(name),))


def _download_step(name: str) -> str:
    return f"download: {name}"


def _raw_files(context: Context, name: str) -> dict[str, str]:
    """Digests of the raw files of a source, or of own data and its mapping file."""
    if name != OWN or context.config.own is None:
        return context.files.below(context.raw_folder(name), "raw file")
    from dataset_builders.own_data.containers.hub import find

    own, digests = context.config.own, dict[str, str]()
    for number, path in enumerate([*own.path, *([own.mapping] if own.mapping else [])], start=1):
        what = "raw file" if number == 1 else f"raw file {number}"
        dataset = find(str(path)) if str(path).startswith("hf:") else None
        if dataset:
            digests[f"{what}: {path}"] = dataset.commit
        else:
            digests |= context.files.below(path, what)
    return digests


def _read(context: Context, name: str, config: str | None, code: str) -> Step:
    def inputs() -> dict[str, str]:
        own = {f"own.{key}": repr(value) for key, value in vars(context.config.own).items()} if name == OWN else {}
        own.pop("own.path", None)
        own.pop("own.mapping", None)
        return {
            **_raw_files(context, name),
            "config": config or "default",
            **own,
            "code": code,
            **dict(versions("datasets", "pyarrow", *(_OWN_LIBRARIES if name == OWN else ()))),
        }

    def run() -> Product:
        with ExitStack() as stack:
            if name == OWN and context.config.own:
                from dataset_builders.corpus.finish import write_rejects_of

                own = context.own_builders()
                context.config.own.check([builder.data for builder in own])
                stack.enter_context(write_rejects_of(context.place.dataset, own, context.warn))
            parsed = context.parsed(name, config)
        entries = [signature(Path(source.storage.root)) for source in parsed]
        size = sum(file[0] for files in entries for file in files.values())
        return Product(digest_of(source.builder.hash or "" for source in parsed), size)

    downloads = context.config.raw_dir is None and name != OWN
    return Step(source_step(name), inputs, run, needs=(_download_step(name),) if downloads else ())


def _duplicates(context: Context, sources: Mapping[str, str | None], code: str) -> Step:
    place = context.place.own / "survey"

    def inputs() -> dict[str, str]:
        settings = context.config.dataset
        return {
            **_products(context, sources, source_step, "rows of"),
            "dataset.seed": str(settings.seed),
            "dataset.split_policy": settings.split_policy,
            "code": code,
            **dict(versions("rensa", "numpy", "pyarrow")),
        }

    def run() -> Product:
        from dataset_builders.common.stages import Stages
        from dataset_builders.common.storage import Storage
        from dataset_builders.survey.survey import survey

        finished = [name for name in sources if context.stamps.get(source_step(name))]
        parsed = [source for name in finished for source in context.parsed(name, sources[name])]
        options = context.options()
        with output_folder(place, _INTERMEDIATE) as folder:
            survey(
                parsed,
                Stages(Storage(str(folder.with_name("stages"))), context.executor(), context.progress),
                Storage(str(folder)),
                split_policy=options.split_policy,
                seed=options.seed,
                benchmark_words=options.benchmark_words,
            )
        return Product()

    return Step(DUPLICATES, inputs, run, (place,), joins=tuple(map(source_step, sources)))


def _rows(context: Context, name: str, config: str | None, code: str, needs: Mapping[str, str]) -> Step:
    place = context.place.own / "rows" / name
    survey = context.place.own / "survey"

    def inputs() -> dict[str, str]:
        # own data may be two sources, with names that the user chose
        folders = [
            p for p in survey.iterdir() if p.is_dir() and (p.name if p.name in source_modules() else OWN) == name
        ]
        decisions = [digest for p in sorted(folders) for digest in context.files.below(p, p.name).values()]
        return {
            f"rows of {name}": context.stamps.digest(source_step(name)),
            "duplicates and splits of its rows": digest_of(decisions),
            **_options(context),
            **_decisions(context, None if name == OWN else name),
            "code": code,
            **dict(versions("datasets", "pyarrow", "py3langid", "ftfy")),
            **needs,
        }

    def run() -> Product:
        from dataset_builders.common.executor import LocalExecutor
        from dataset_builders.common.storage import Storage
        from dataset_builders.corpus.shards import ShardFiles
        from dataset_builders.corpus.writing import write_shard

        options, encoder = context.options(), context.encoder()
        parsed = context.parsed(name, config)
        shards = ShardFiles(parsed, Storage(str(survey)))
        # an encoder's threads do not survive a fork
        executor = LocalExecutor() if encoder else context.executor()
        results = []
        with output_folder(place, _INTERMEDIATE) as folder:
            work = partial(write_shard, shards.load, options, Storage(str(folder)), encoder)
            for number, result in enumerate(executor.in_order(work, len(shards), label=shards.name)):
                context.progress(f"filtering {name}", number, len(shards))
                results.append(result)
            (folder / _BUILT).write_text(json.dumps(results), encoding="utf-8")
        return Product()

    return Step(rows_step(name), inputs, run, (place,), needs=(source_step(name), DUPLICATES))


def _dataset(context: Context, sources: list[str], code: str, needs: Mapping[str, str]) -> Step:
    rows, survey, out = context.place.own / "rows", context.place.own / "survey", context.place.dataset

    def inputs() -> dict[str, str]:
        figures = [context.files.of(path) for path in sorted(survey.iterdir()) if path.is_file()]
        return {
            **_products(context, sources, rows_step, "rows and pairs of"),
            "duplicates over all": digest_of(figures),
            **_options(context),
            **_decisions(context, ""),
            "dataset.hard_negatives": str(context.config.dataset.hard_negatives),
            "licenses": ", ".join(context.config.licenses),
            "code": code,
            **dict(versions("dialogue-cube", "pyarrow")),
            **needs,
        }

    def run() -> Product:
        from dataset_builders.common.storage import Storage
        from dataset_builders.corpus.finish import (
            finish_folder,
            warn_of_copies,
            warn_of_decisions,
            warn_of_differences,
        )
        from dataset_builders.corpus.fragments import by_source
        from dataset_builders.survey.decisions import Survey

        finished = [name for name in sources if context.stamps.get(rows_step(name))]
        results = {name: json.loads((rows / name / _BUILT).read_text(encoding="utf-8")) for name in finished}
        written = [source for name in finished for source in by_source(results[name], f"{name}/")]
        written.sort(key=lambda source: source.counts.info.kind != "dialogues")  # the order of the rows
        context.progress("writing files", 0, 1)
        with output_folder(out, DATASET_FOLDER) as folder:
            executor = context.executor()
            storage, survey_result = Storage(str(rows)), Survey.load(Storage(str(survey)))
            finish_folder(folder, storage, written, survey_result, context.options(), executor, context.encoder())
            for source in written:
                warn_of_differences(source.counts, context.config.raw_dir, context.warn)
            results_of = [source.counts for source in written]
            warn_of_copies(results_of, survey_result.duplicates, context.warn)
            warn_of_decisions(results_of, context.decisions(), context.warn)
        return Product(digest_of(context.files.of(out / name) for name in (REPORT, "README.md")))

    return Step(DATASET, inputs, run, (out,), joins=tuple(map(rows_step, sources)))


def _database(context: Context, code: str) -> Step:
    def inputs() -> dict[str, str]:
        return {"dataset": context.stamps.digest(DATASET), "code": code, **dict(versions("duckdb"))}

    def run() -> Product:
        from dataset_builders.database import build_database

        build_database(context.place.dataset, context.place.database, context.progress)
        return Product()

    return Step(DATABASE, inputs, run, (context.place.database,), needs=(DATASET,))


def _products(
    context: Context, sources: Mapping[str, str | None] | list[str], step: Callable[[str], str], what: str
) -> dict[str, str]:
    """Digests of the products of the sources' finished steps."""
    return {f"{what} {name}": context.stamps.digest(step(name)) for name in sources if context.stamps.get(step(name))}


def _options(context: Context) -> dict[str, str]:
    """The options that affect the rows of a source, by their keys in the config."""
    config, dataset = context.config, context.config.dataset
    others = ("hard_negatives", "decisions")
    options = {f"dataset.{name}": _as_text(value) for name, value in vars(dataset).items() if name not in others}
    if isinstance(dataset.quality, str) and Path(dataset.quality).is_file():
        options["dataset.quality"] = context.files.of(Path(dataset.quality))
    return {
        **options,
        "languages": _as_text(config.languages),
        "splits": _as_text(config.splits),
        **context.encoder_inputs("dataset.encoder", dataset.encoder),
    }


def _decisions(context: Context, source: str | None) -> dict[str, str]:
    """The decisions about rows of one source, so that those about others change nothing for it.

    Args:
        context: The run.
        source: Name of the source; None for own data, whose names the user chose; empty for all sources.
    """
    decisions = context.decisions()
    if source is None:
        decisions = RowDecisions(tuple(d for d in decisions if d.source not in source_modules()))
    elif source:
        decisions = decisions.about(source)
    return {"dataset.decisions": f"{DIGEST}{decisions.digest}"} if decisions else {}


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
