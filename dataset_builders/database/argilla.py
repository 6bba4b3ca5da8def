"""Rows to review as a dataset of Argilla 2: a folder that `argilla.Dataset.from_disk` opens, written without Argilla.

    OUT/.argilla/dataset.json    name of the dataset
    OUT/.argilla/settings.json   fields, questions and guidelines
    OUT/records.json             the rows: `fields`, `metadata`, and as `suggestions` what was decided so far

The layout is that of `Dataset.to_disk` (https://docs.argilla.io/latest/how_to_guides/import_export/). Texts are shown
as they are, without Markdown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataset_builders.common.decisions import DECISIONS, WITHDRAWN, RowDecision, RowDecisions, text_digest
from dataset_builders.common.errors import DataError
from dataset_builders.common.outputs import OutputKind, output_folder

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_RECORDS, _SETTINGS, _DATASET = "records.json", ".argilla/settings.json", ".argilla/dataset.json"

ARGILLA = OutputKind(
    "`dialogue-cube argilla`",
    "--out",
    lambda folder: (folder / _DATASET).is_file() and not _has_responses(folder / _RECORDS),
    (_RECORDS, _SETTINGS, _DATASET, ".argilla/version.json"),
)


def _has_responses(records: Path) -> bool:
    """Whether people have answered: Argilla exports to a folder of the same form, which must not be replaced."""
    try:
        content = json.loads(records.read_text(encoding="utf-8"))
        return any(record.get("responses") for record in content)
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return True


MOST_LABELS = 500
"""Maximum number of labels of a question in Argilla's server by default."""

_ROWS = {
    "dialogues": "SELECT dialogue_id AS id, dialogue_id, source, split, language, license, flags FROM dialogs",
    "pairs": """
        SELECT pair_id AS id, dialogue_id, turn_index, context_turns, source, split, language, license, flags, quality,
            anchor, positive
        FROM pairs
    """,
    "downstream": """
        SELECT utterance_id AS id, source, split, language, license, flags, utterance, label,
            coalesce(labels, [label]) AS labels
        FROM downstream
    """,
}

_TURNS = {
    "dialogues": """
        LEFT JOIN (SELECT dialogue_id AS of, turn_index AS place, speaker, text FROM turns) ON of = dialogue_id
    """,
    "pairs": """
        LEFT JOIN (SELECT dialogue_id AS of, turn_index AS place, speaker, text FROM turns)
        ON of = dialogue_id AND place < turn_index AND place >= turn_index - context_turns
    """,
}
"""The turns of a dialogue, and those before the anchor of a pair."""

_NAMES = {
    "bad_pair": "Bad pair: the positive is no answer to the anchor",
    "bad_dialogue": "Bad dialogue",
    "wrong_label": "Wrong label",
    "personal_data": "Personal data",
    "keep": "Keep",
}

_GUIDELINES = (
    "Is the row fit for training? Choose what is wrong with it, or keep it. The ids of the records are those of the "
    "dataset, so that decisions come back with `dialogue-cube argilla --read`."
)


def export_argilla(
    connection: DuckDBPyConnection,
    out: str | Path,
    config: str,
    *,
    decisions: RowDecisions | None = None,
    sources: Sequence[str] = (),
    flag: str | None = None,
    most: int = 1_000,
) -> int:
    """Write rows and the decisions about them.

    Args:
        connection: Connection to a database, or to the views over a dataset folder.
        out: Folder to write.
        config: `"dialogues"`, `"pairs"` or `"downstream"`.
        decisions: Decisions so far. Without `sources` and `flag`, only the rows that these are about are written.
        sources: Write rows of these sources; empty for all.
        flag: Write rows with this flag; None for all.
        most: Maximum number of rows.

    Returns:
        Number of rows.

    Raises:
        DataError: No row is selected, or an intent set has too many labels for a question.
    """
    by_id = (decisions or RowDecisions()).by_id(config)
    conditions, parameters = [], list[Any]()
    if sources:
        conditions.append("list_contains(?, source)")
        parameters.append(list(sources))
    if flag:
        conditions.append("list_contains(flags, ?)")
        parameters.append(flag)
    if not conditions:
        conditions.append("list_contains(?, id)")
        parameters.append(list(by_id))
    sql = f"FROM ({_ROWS[config]}) WHERE {' AND '.join(conditions)} ORDER BY id LIMIT ?"
    if config in _TURNS:  # only of the rows that were selected
        spoken = "list({'speaker': speaker, 'text': text} ORDER BY place) FILTER (place IS NOT NULL)"
        sql = (
            f"WITH selected AS MATERIALIZED ({sql}) SELECT any_value(selected) AS row, {spoken} AS turns "
            f"FROM selected {_TURNS[config]} GROUP BY id ORDER BY id"
        )
    with output_folder(out, ARGILLA) as folder:
        cursor = connection.execute(sql, [*parameters, most])
        names = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        rows = [{**row["row"], "turns": row["turns"]} if "row" in row else row for row in rows]
        if not rows:
            raise DataError("no row to review; name --sources or --flag, or a file of decisions about rows of --config")
        labels = _labels(connection, rows) if config == "downstream" else []
        records = [_record(config, row, by_id.get(row["id"])) for row in rows]
        (folder / ".argilla").mkdir()
        name = f"dialogue-cube-{config}"
        for file, content in (
            (_DATASET, {"name": name, "guidelines": _GUIDELINES, "allow_extra_metadata": True}),
            (_SETTINGS, _settings(config, labels)),
            (_RECORDS, records),
        ):
            (folder / file).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return len(rows)


def _labels(connection: DuckDBPyConnection, rows: Sequence[dict[str, Any]]) -> list[str]:
    sources = sorted({row["source"] for row in rows})
    sql = "SELECT DISTINCT unnest(coalesce(labels, [label])) AS name FROM downstream WHERE list_contains(?, source)"
    labels = [name for (name,) in connection.execute(f"{sql} ORDER BY name", [sources]).fetchall()]
    if len(labels) > MOST_LABELS:
        raise DataError(
            f"{len(labels):,} labels of {len(sources)} sources, but a question of Argilla has at most {MOST_LABELS}; "
            "name fewer --sources"
        )
    return labels


def _settings(config: str, labels: Sequence[str]) -> dict[str, Any]:
    options = {name: text for name, text in _NAMES.items() if config in DECISIONS[name] and name != WITHDRAWN}
    questions = [_question("decision", "Decision", "label_selection", options, required=True)]
    if config == "downstream":
        names = dict(zip(labels, labels, strict=True))
        questions.append(_question("labels", "Right labels", "multi_label_selection", names, required=False))
    return {
        "guidelines": _GUIDELINES,
        "questions": questions,
        "fields": {
            "dialogues": [_chat("dialogue", "Dialogue")],
            "pairs": [_chat("context", "Context", required=False), _text("anchor"), _text("positive")],
            "downstream": [_text("utterance"), _text("label")],
        }[config],
        "vectors": [],
        "metadata": [],
        "allow_extra_metadata": True,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "mapping": None,
    }


def _question(name: str, title: str, kind: str, options: dict[str, str], *, required: bool) -> dict[str, Any]:
    choices = [{"value": value, "text": text, "description": None} for value, text in options.items()]
    return {"name": name, "title": title, "required": required, "settings": {"type": kind, "options": choices}}


def _text(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": name.capitalize(),
        "required": True,
        "settings": {"type": "text", "use_markdown": False},
    }


def _chat(name: str, title: str, *, required: bool = True) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "required": required,
        "settings": {"type": "chat", "use_markdown": False},
    }


def _record(config: str, row: dict[str, Any], decision: RowDecision | None) -> dict[str, Any]:
    if config == "dialogues":
        texts, fields = [turn["text"] for turn in row["turns"] or ()], {"dialogue": _messages(row["turns"])}
    elif config == "pairs":
        texts, context = [row["anchor"], row["positive"]], _messages(row["turns"])
        fields = {"anchor": row["anchor"], "positive": row["positive"]} | ({"context": context} if context else {})
    else:
        texts, fields = [row["utterance"]], {"utterance": row["utterance"], "label": row["label"]}
    metadata = {name: row[name] for name in ("source", "split", "language", "license")}
    metadata |= {"text": text_digest(*texts), "flags": ", ".join(row["flags"] or ())}
    if config == "pairs" and row["quality"]:
        metadata |= {f"quality_{name}": value for name, value in row["quality"].items() if value is not None}
    suggestions = {}
    if decision:
        suggestions["decision"] = _suggestion(decision.decision)
    if config == "downstream":
        suggestions["labels"] = _suggestion(list(decision.labels if decision and decision.labels else row["labels"]))
    return {
        "id": row["id"],
        "fields": fields,
        "metadata": {name: value for name, value in metadata.items() if value not in ("", None)},
        "suggestions": suggestions,
        "responses": {},
        "vectors": {},
        "status": "pending",
    }


def _messages(turns: Sequence[dict[str, str]] | None) -> list[dict[str, str]]:
    return [{"role": turn["speaker"], "content": turn["text"]} for turn in turns or ()]


def _suggestion(value: Any) -> dict[str, Any]:
    return {"value": value, "score": None, "agent": "dialogue-cube"}


def read_argilla(records: Path, config: str) -> list[RowDecision]:
    """The decisions in the records of a dataset that Argilla exported: its submitted responses.

    Args:
        records: `records.json` of `Dataset.to_disk`, or the file of `records.to_json`.
        config: Config of the rows.

    Returns:
        The decisions, in the order of the records. Where people disagree, the first response counts.

    Raises:
        DataError: The file is not that of records which this module wrote.
    """
    from dataset_builders.common.reading import read_json

    advice = "name the records.json that Argilla exported"
    responses = {"*": [{"value!": (str, list)}]}
    shape = [{"id!": str, "responses": responses, "metadata": dict}]
    decisions = []
    for record in read_json(records, advice, shape):
        answers = record.get("responses") or {}
        if not answers.get("decision"):
            continue
        labels = answers.get("labels") or []
        decision = str(answers["decision"][0]["value"])
        corrected = tuple(labels[0]["value"]) if labels and decision == "wrong_label" else ()
        text = str((record.get("metadata") or {}).get("text") or "")
        try:
            decisions.append(RowDecision(config, record["id"], decision, corrected, text))
        except DataError as error:
            raise DataError(f"{records}, record {record['id']}: {error}; {advice}") from None
    return decisions
