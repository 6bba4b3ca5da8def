"""Measure how good the answers of an assistant are, with and without each means to make them better.

    python tests/benchmarks/bench_assistant_answers.py --data DATASET --source sgd [--encoder minilm] [--core CORE]
        [--max-answers 6000] [--questions 600] [--json FILE]

Entries are those of the train split of a source (of all splits but test, if it has no train split), questions those of
its test split. Rankings are compared by the true answer: its action (the annotated acts and slots), the overlap of words
(F1, as in SQuAD), and how often the true answer itself is among five. "with context" reads two turns before the question,
by the convention of the encoder or the core; see `cube_model/assistant/encoding.py`. For encoders without one, it adds
`--context-weight` times the similarity of the turns before.

`grouped` shows one of the answers that are nearly the same; `as templates` also counts answers as the same that differ in
the values of annotated slots only. `--faq FILE` measures a FAQ of own data in place of a source: CSV of questions and
answers, and `--asked FILE`, CSV of other questions with the same answers.
"""

import argparse
import csv
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
from bench_assistant import CONSOLE, Encoder, some
from rich.table import Table

from cube_model.assistant.config import AssistantConfig
from cube_model.assistant.encoding import Encoding, joined_turns, open_core
from cube_model.assistant.entries import entries_of_pairs, read_entries
from cube_model.assistant.grouping import group_answers
from cube_model.assistant.retrieval import Matches, Segment, View, stems
from cube_model.data.hub import split_names
from cube_model.data.own_rows import text_keys
from cube_model.data.turns import read_turns
from cube_model.errors import ModelError
from cube_model.teacher.find import find_teacher

WIDTH = 64


def entries_and_questions(options):
    """Entries, and test questions as rows."""
    if options.faq:
        pairs, asked = (list(csv.reader(file.open(encoding="utf-8")))[1:] for file in (options.faq, options.asked))
        return entries_of_pairs(pairs), entries_of_pairs(asked).to_pylist()
    facts = {"data": options.data, "sources": [options.source]}
    entries = read_entries(AssistantConfig(**facts, max_answers=options.max_answers)).index
    test = read_entries(AssistantConfig(**facts, splits=["test"])).index.to_pylist()
    return entries, some(test, options.questions, np.random.default_rng(0))


def answers(options):
    """Rankings by the true answer."""
    encode = Encoder(options.encoder, options.dtype)
    table, test = entries_and_questions(options)
    joined = joined_turns(find_teacher(options.encoder).folder)
    core = open_core(options.core) if options.core else None
    plain, with_context = Encoding(encode.teacher, encode), Encoding(encode.teacher, encode, joined)
    no_context = [()] * len(table)
    texts, contexts = [row["question"] for row in test], [row["context"] or () for row in test]
    questions, context_of = table["question"].to_pylist(), table["context"].to_pylist()
    answer_vectors = plain.answers(table["answer"].to_pylist())
    alone = plain.questions(texts, [()] * len(test))
    view = View([Segment.of(table, plain.questions(questions, no_context), answer_vectors)], np.ones(len(table), bool))
    scores = {"questions": alone @ view.segments[0].vectors.T}
    scores["questions and answers"] = scores["questions"] + 0.5 * (alone @ answer_vectors.T)
    if with_context.context_turns:
        asked = with_context.questions(texts, contexts)
        scores["with context"] = asked @ with_context.questions(questions, context_of).T
        scores["with context, and answers"] = scores["with context"] + 0.5 * (asked @ answer_vectors.T)
    else:
        before = turns_before(plain, contexts, context_of)
        scores["with context, added"] = scores["questions"] + options.context_weight * before
    if core is not None:
        composing = Encoding(encode.teacher, encode, 0, core)
        mapped = composing.answers(table["answer"].to_pylist())
        for name, before, before_entry in (
            ("", [()] * len(test), no_context),
            (", with context", contexts, context_of),
        ):
            asked = composing.questions(texts, before)
            of_questions = asked @ composing.questions(questions, before_entry).T
            scores[f"core{name}: answers"] = asked @ mapped.T
            scores[f"core{name}: questions"] = of_questions
            scores[f"core{name}: both"] = of_questions + 0.5 * scores[f"core{name}: answers"]
    rankings = {name: np.argsort(-score, axis=1, kind="stable")[:, :WIDTH] for name, score in scores.items()}
    rankings["BM25"] = bm25(view, texts)
    best = next(name for name in ("with context, and answers", "questions and answers") if name in rankings)
    rankings[f"{best} + BM25"] = fused(rankings[best], rankings["BM25"])
    acts = actions(options) if not options.faq else {}
    result = [{"ranking": name, **quality(view, rows, test, acts)} for name, rows in rankings.items()]
    for name, as_templates in (("grouped", False), ("grouped as templates", True)):
        rows = grouped(view, rankings[best], scores[best], test, as_templates=as_templates)
        result.append({"ranking": f"{best}, {name}", **quality(view, rows, test, acts)})
    columns = [name for name in result[0] if name != "ranking"]
    shown = Table(
        "ranking", *columns, title=f"{options.faq or options.source}: {len(view):,} entries, {len(test):,} questions"
    )
    for row in result:
        shown.add_row(row["ranking"], *(f"{row[name]:.3f}" for name in columns))
    CONSOLE.print(shown)
    return result


def actions(options):
    """(dialogue, text) -> acts and slots of a system turn."""
    result = {}
    for split in split_names(options.data):
        try:
            turns = read_turns(options.data, split, sources=[options.source])
        except ModelError:  # a source need not be in every split
            continue
        for row in range(len(turns)):
            if turns.speakers[row] == "system" and turns.acts[row]:
                result[turns.dialogue_ids[turns.dialogues[row]], turns.texts[row].strip()] = turns.action(row)
    return result


def bm25(view, texts):
    import bm25s

    index = bm25s.BM25()
    index.index([stems(text) or [""] for text in view.questions], show_progress=False)
    rows, _ = index.retrieve([stems(text) or [""] for text in texts], k=min(WIDTH, len(view)), show_progress=False)
    return np.asarray(rows, np.int64)


def fused(*rankings, constant=60):
    """Reciprocal rank fusion (Cormack et al. 2009)."""
    result = []
    for lines in zip(*rankings, strict=True):
        score = Counter()
        for line in lines:
            for place, row in enumerate(line.tolist()):
                score[row] += 1 / (constant + place + 1)
        result.append([row for row, _ in sorted(score.items(), key=lambda item: (-item[1], item[0]))][:WIDTH])
    width = min(map(len, result))
    return np.array([line[:width] for line in result])


def turns_before(encoding, contexts, context_of):
    """The similarity of the last turns before the questions; 1 if neither question has one."""
    asked, there = (np.array([bool(turns) for turns in part]) for part in (contexts, context_of))
    lasts = [[turns[-1] if turns else "-" for turns in part] for part in (contexts, context_of)]
    turns = encoding.texts(lasts[0]) @ encoding.texts(lasts[1]).T
    return np.where(asked[:, None] & there, turns, np.where(~asked[:, None] & ~there, 1.0, 0.0))


def grouped(view, rankings, scores, test, *, as_templates):
    """Rows of the first five groups of each question, -1 where there are fewer."""
    if not as_templates:
        place, nothing = view.table.schema.get_field_index("template"), pa.nulls(len(view.table), pa.string())
        table = view.table.set_column(place, "template", nothing)
        view = View([Segment.of(table, view.segments[0].vectors)], view.alive)
    result = np.full((len(rankings), 5), -1)
    for number, line in enumerate(rankings):
        close = scores[number][line].astype(np.float32)
        matches = Matches([test[number]["question"]], line[None], close[None], np.zeros((1, len(line))))
        groups = group_answers(view, matches, 0, 5, 0.0)
        result[number, : len(groups)] = [group.row for group in groups]
    return result


def quality(view, rows, test, acts):
    """Compare the first five answers with the true one."""
    keys = text_keys([row["answer"] for row in test])
    answer_of, dialogue_of = view.table["answer"].to_pylist(), view.table["dialogue_id"].to_pylist()
    action, overlap, first, exact, different = [], [], [], [], []
    for line, row, key in zip(rows[:, :5].tolist(), test, keys, strict=True):
        line = [place for place in line if place >= 0]
        overlap.append(word_f1(answer_of[line[0]], row["answer"]))
        first.append(key == view.answers[line[0]])
        exact.append(key in view.answers[line])
        different.append(len({frozenset(re.findall(r"[^\W\d_]+", answer_of[place].lower())) for place in line}))
        true = acts.get((row["dialogue_id"], row["answer"].strip()))
        if true is not None:
            action.append(acts.get((dialogue_of[line[0]], answer_of[line[0]].strip())) == true)
    return {
        "same action first": float(np.mean(action)) if action else float("nan"),
        "F1 of words first": float(np.mean(overlap)),
        "true answer first": float(np.mean(first)),
        "true answer in five": float(np.mean(exact)),
        "different answers of five": float(np.mean(different)),
    }


def word_f1(one, other):
    a, b = (Counter(re.findall(r"\w+", text.lower())) for text in (one, other))
    same = sum((a & b).values())
    return 2 * same / (sum(a.values()) + sum(b.values())) if same else 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data")
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--source", default="sgd")
    parser.add_argument("--faq", type=Path)
    parser.add_argument("--asked", type=Path)
    parser.add_argument("--max-answers", type=int)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--core")
    parser.add_argument("--context-weight", type=float, default=0.5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = answers(options)
    if options.json:
        facts = {name: str(value) for name, value in vars(options).items()}
        options.json.write_text(json.dumps({"options": facts, "rows": result}, indent=1) + "\n")


if __name__ == "__main__":
    main()
