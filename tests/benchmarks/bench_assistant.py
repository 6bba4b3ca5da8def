"""Measure which questions an assistant refuses, and how well its probabilities are calibrated.

    python tests/benchmarks/bench_assistant.py prior --data DATASET
    python tests/benchmarks/bench_assistant.py faq --data DATASET [--encoder minilm] [--draws 5] [--json FILE]
    python tests/benchmarks/bench_assistant.py dialogues --data DATASET --source sgd [--max-answers 20000] [--json FILE]

- `prior` fits the constants of `cube_model/assistant/calibration.py`: a regression on small FAQs that are drawn from the
  intents of MASSIVE, Banking77 and HWU64, each intent an answer.
- `faq` makes FAQs of the intents of CLINC150 (train), of different sizes, and asks test questions: in scope, of intents
  that the FAQ lacks, and CLINC150's own out-of-scope questions. With `marked`, the out-of-scope questions of train and
  validation calibrate it too, as those of `--out-of-scope FILE` do. Its questions are drawn from those of the intent, or
  the first ones as written, which are often variations of each other.
- `dialogues` builds an assistant of the train split of a corpus and asks questions of its test split in the domains of the
  entries. It must refuse CLINC150's out-of-scope questions and the first questions of dialogues in other domains.
  `Hotels_1` and `Hotels_2` are services of one domain.

`bench_assistant_answers.py` measures the answers.
The thresholds never see a test question. All figures: answerable and unanswerable questions count as much as each other.
`intervals` are Wilson's of 95 %; with several `--draws` of a FAQ, the table shows means, and the lowest and the highest
figure of a draw, which differ more. `calibrated_error` is what the calibration error of a perfectly calibrated assistant
would be: the mean and the 97.5th percentile of outcomes drawn with its own probabilities. No figure can be below that
but by chance.
"""

import argparse
import json
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from cube_model.assistant.assistant import DialogueAssistant, Request
from cube_model.assistant.build import build_assistant
from cube_model.assistant.calibration import Questions, calibrate, curve, expected_calibration_error, figures
from cube_model.assistant.config import AssistantConfig
from cube_model.assistant.entries import EntryRows, entries_of_pairs, read_entries
from cube_model.assistant.grouping import best_places
from cube_model.assistant.questions import calibration_questions, unrelated
from cube_model.assistant.retrieval import FEATURES, Segment, View, features, find
from cube_model.data.hub import read_rows
from cube_model.data.own_rows import text_keys
from cube_model.teacher.teacher import Teacher
from cube_model.vectors.cache import EmbeddingCache

CONSOLE = Console(width=140)
SIZES = ((150, 20), (150, 4), (150, 1), (50, 10), (50, 2), (20, 4), (20, 1), (8, 4), (8, 1))
"""Answers and questions of each, of the FAQs."""
AVERAGED = ("right", "expected_calibration_error", "auroc", "threshold")
PRIOR_SETS = {"massive": "banking77", "banking77": "massive", "hwu64": "banking77"}
"""Intent sets of the FAQs of `prior`, each with one about something else."""


class Encoder:
    def __init__(self, name, dtype="float32"):
        self.teacher, self.cache = Teacher.load(name, dtype, "cpu"), EmbeddingCache()

    def __call__(self, texts, contexts=()):
        vectors = self.cache.embed(self.teacher, texts)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def intents(data, source, split):
    """Label -> utterances, and the utterances out of scope."""
    rows = read_rows(data, "downstream", split, ("utterance", "label", "is_out_of_scope", "source")).to_pylist()
    labels, outside = {}, []
    for row in rows:
        if row["source"] == source:
            (outside if row["is_out_of_scope"] else labels.setdefault(row["label"], [])).append(row["utterance"])
    return labels, outside


def some(texts, count, random):
    return [texts[row] for row in np.sort(random.permutation(len(texts))[:count])]


def faq(by_label, names, count, encode):
    """A FAQ as a view: an intent is an answer."""
    table = entries_of_pairs([(text, f"answer of {name}") for name in names for text in by_label[name][:count]])
    view = View([Segment.of(table, encode(table["question"].to_pylist()))], np.ones(len(table), bool))
    return view, EntryRows(table, table.slice(0, 0), np.ones(len(table), bool), [])


def asked(view, encode, inside, **unanswerable):
    """Test questions: `inside` are pairs of text and answer, the others are texts by kind."""
    base, parts, right, kinds = unrelated(view, encode), [], [], []
    for kind, texts in {"in scope": [text for text, _ in inside], **unanswerable}.items():
        if not texts:
            continue
        matches = find(view, encode(texts), texts)
        places = best_places(view, matches, base)
        parts.append(features(view, matches, places))
        best = view.answers[matches.rows[np.arange(len(places)), places]]
        hits = best == text_keys([answer for _, answer in inside]) if kind == "in scope" else 0
        right += list(np.broadcast_to(hits, len(texts)).astype(bool))
        kinds += [kind] * len(texts)
    kinds = np.array(kinds)
    arrays = (np.concatenate(parts), kinds == "in scope", np.array(right), np.arange(len(kinds)), kinds)
    return Questions(*arrays, base)


def prior(options):
    """Fit the regression of small FAQs of intent sets."""
    fitted, refused = fit_prior(options, PRIOR_SETS)
    CONSOLE.print(json.dumps(fitted.as_json(), indent=1))
    CONSOLE.print(refused)


def fit_prior(options, sources):
    """The regression, and share of the answerable questions -> the probability below which they are."""
    from cube_model.assistant.calibration import _from_unrelated
    from cube_model.assistant.logistic import Logistic

    encode, xs, ys, ws, kinds = Encoder(options.encoder, options.dtype), [], [], [], []
    for source in sources:
        random = np.random.default_rng([*PRIOR_SETS].index(source) + 1)
        labels = {
            name: some(texts, 30, random) for name, texts in sorted(intents(options.data, source, "train")[0].items())
        }
        elsewhere = [text for texts in intents(options.data, PRIOR_SETS[source], "train")[0].values() for text in texts]
        for answers in (5, 10, 20, 40, 80):
            for count in (1, 2, 4, 10):
                names = some(sorted(labels), answers, random)
                view, _ = faq(labels, names, count, encode)
                inside = some(
                    [(text, f"answer of {name}") for name in names for text in labels[name][10:]], 600, random
                )
                others = some([text for name in labels if name not in names for text in labels[name][10:]], 600, random)
                questions = asked(view, encode, inside, other=others, elsewhere=some(elsewhere, 300, random))
                xs.append(_from_unrelated(questions.features, questions.unrelated))
                ys.append(questions.right)
                ws.append(questions.sample / questions.sample.sum())
                kinds.append(questions.answerable)
    x, y, w, answerable = map(np.concatenate, (xs, ys, ws, kinds))
    x[:, FEATURES.index("answer")] = 0  # intents have none
    fitted = Logistic.fit(x, y, w / w.sum() * 2000)
    confidence = fitted.probability(x[answerable])
    order = np.argsort(confidence)
    parts = np.cumsum(w[answerable][order]) / w[answerable].sum()
    points = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
    return fitted, {share: round(float(confidence[order][np.searchsorted(parts, share)]), 4) for share in points}


def faqs(options):
    """Refusals of FAQs of CLINC150."""
    encode, result = Encoder(options.encoder, options.dtype), []
    labels, _ = intents(options.data, "clinc150", "train")
    test, outside = intents(options.data, "clinc150", "test")
    marked = [text for split in ("train", "validation") for text in intents(options.data, "clinc150", split)[1]]
    for draw, order, (answers, count) in product(range(options.draws), ("drawn", "as written"), SIZES):
        random = np.random.default_rng(3 + draw)
        names = some(sorted(labels), answers, random)
        drawn = {
            name: random.permutation(labels[name]).tolist() if order == "drawn" else labels[name] for name in names
        }
        view, rows = faq(drawn, names, count, encode)
        inside = some([(text, f"answer of {name}") for name in names for text in test[name]], options.questions, random)
        others = some([text for name in test if name not in names for text in test[name]], options.questions, random)
        questions = asked(view, encode, inside, **{"other intents": others, "out of scope": outside})
        for how, texts in (("", []), ("marked", marked)):
            of_build = EntryRows(rows.index, rows.held_out, rows.is_single, texts)
            made = calibrate(calibration_questions(view, of_build, encode, 0), 0.1, 0)
            facts = {"order": order, "answers": answers, "questions": count, "marked": how, "draw": draw}
            result.append({**facts, **measured(made, questions)})
    names = ("order", "answers", "questions", "marked")
    show(result if options.draws == 1 else averaged(result, names), names)
    return result


def averaged(result, names):
    """The means over the draws of a FAQ; the intervals are the lowest and the highest figure."""
    groups = {}
    for row in result:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return [
        {
            **rows[0],
            **{name: float(np.mean([row[name] for row in rows])) for name in AVERAGED},
            "refused": {kind: float(np.mean([row["refused"][kind] for row in rows])) for kind in rows[0]["refused"]},
            "intervals": {
                kind: [reduce(row["refused"][kind] for row in rows) for reduce in (min, max)]
                for kind in rows[0]["refused"]
            },
        }
        for rows in groups.values()
    ]


def wilson(share, count, z=1.96):
    """Interval of a share of `count` questions (Wilson, 1927)."""
    middle, scale = share + z * z / (2 * count), 1 + z * z / count
    half = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return [float((middle - half) / scale), float((middle + half) / scale)]


def shares(refused, kinds):
    """Which share of the questions of each kind is refused, with intervals."""
    parts = {str(kind): refused[kinds == kind] for kind in np.unique(kinds)}
    result = {kind: float(part.mean()) for kind, part in parts.items()}
    return {
        "refused": result,
        "intervals": {kind: wilson(result[kind], len(part)) for kind, part in parts.items()},
        "asked": {kind: len(part) for kind, part in parts.items()},
    }


def calibrated_error(questions, confidence, draws=500):
    """The calibration error of outcomes that are drawn with the probabilities: mean and 97.5th percentile."""
    random, sample = np.random.default_rng(0), questions.sample
    outcomes = random.random((draws, len(confidence))) < confidence
    errors = [expected_calibration_error(confidence, right, sample) for right in outcomes]
    return [float(np.mean(errors)), float(np.quantile(errors, 0.975))]


def measured(calibration, questions):
    """Figures on test questions."""
    confidence = calibration.confidence(questions.features)
    return {
        "right": float(questions.right[questions.answerable].mean()),
        **shares(confidence < calibration.threshold, questions.kinds),
        **figures(questions, confidence, calibration.threshold),
        "calibrated_error": calibrated_error(questions, confidence),
        "threshold": calibration.threshold,
        "guarantee": calibration.record["guarantee"],
        "curve": curve(questions, confidence),
    }


def show(result, names):
    table = Table(*names, "right first", "refused", "ECE", "if calibrated", "AUROC", "threshold", "promised")
    for row in result:
        refused = "\n".join(
            f"{kind} {share:.1%} ({low:.1%} to {high:.1%})"
            for (kind, share), (low, high) in zip(row["refused"].items(), row["intervals"].values(), strict=True)
        )
        numbers = (row["expected_calibration_error"], row["calibrated_error"][0], row["auroc"], row["threshold"])
        promise = "nothing" if row["guarantee"] is None else f"{row['guarantee']:.0%}"
        right = f"{row['right']:.1%}" if "right" in row else ""
        table.add_row(*(str(row[name]) for name in names), right, refused, *(f"{n:.3f}" for n in numbers), promise)
    CONSOLE.print(table)


def test_entries(options):
    return read_entries(AssistantConfig(data=options.data, sources=[options.source], splits=["test"])).index.to_pylist()


def dialogues(options):
    """Refusals of an assistant of a corpus."""
    random = np.random.default_rng(0)
    config = AssistantConfig(
        data=options.data,
        sources=[options.source],
        encoder=options.encoder,
        dtype=options.dtype,
        max_answers=options.max_answers,
    )
    marked = some(
        intents(options.data, "clinc150", "train")[1] + intents(options.data, "clinc150", "validation")[1], 200, random
    )
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "marked.txt")
        file.write_text("\n".join(marked))
        result = []
        for how, out_of_scope in (("", None), ("marked", str(file))):
            # an empty file is refused, so without marks those of the source alone count, and it has none
            made = build_assistant(
                AssistantConfig(**{**config.__dict__, "out_of_scope": out_of_scope}), Path(place, "a" + how)
            )
            assistant = DialogueAssistant.from_pretrained(made)
            result.append({"source": options.source, "marked": how, **asked_of(assistant, options, random)})
    show(result, ("source", "marked"))
    return result


def asked_of(assistant, options, random):
    view = assistant._store.view()
    domains = {name for names in view.table["domains"].to_pylist() for name in names or ()}
    test = test_entries(options)
    inside = some([row for row in test if set(row["domains"] or ()) <= domains], options.questions, random)
    options_of_other = argparse.Namespace(**{**vars(options), "source": options.other})
    openings = [
        row for row in test_entries(options_of_other) if not row["context"] and not set(row["domains"]) & domains
    ]
    others = some(openings, options.questions // 2, random)
    first = some([row for row in inside if not row["context"]], options.questions, random)
    outside = intents(options.data, "clinc150", "test")[1][: options.questions]
    kinds = {"held-out questions": inside, "out of scope": [{"question": text} for text in outside]}
    kinds["other domains"] = others
    asked_texts, names = [], []
    for kind, part in kinds.items():
        asked_texts += [Request(row["question"], row.get("context") or ()) for row in part]
        names += [kind] * len(part)
    start = time.perf_counter()
    replies = assistant.reply_many(asked_texts)
    seconds = (time.perf_counter() - start) / len(asked_texts)
    names = np.array(names)
    answerable = names == "held-out questions"
    confidence = np.array([reply.confidence for reply in replies])
    questions = Questions(
        np.zeros((len(names), len(FEATURES))), answerable, answerable, np.arange(len(names)), names, 0.0
    )
    threshold = assistant.info["calibration"]["threshold"]
    replies_to_first = assistant.reply_many([Request(row["question"]) for row in first])
    refused = np.append(confidence < threshold, [not reply.is_known for reply in replies_to_first])
    return {
        "entries": len(view),
        "domains": len(domains),
        **shares(refused, np.append(names, ["first questions of held-out dialogues"] * len(first))),
        "other domains": sorted({name for row in others for name in row["domains"]}),
        **figures(questions, confidence, threshold),
        "calibrated_error": calibrated_error(questions, confidence),
        "threshold": threshold,
        "guarantee": assistant.info["calibration"]["guarantee"],
        "calibrated_on": assistant.info["calibration"]["questions"],
        "curve": curve(questions, confidence),
        "seconds_a_question": seconds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["prior", "faq", "dialogues"])
    parser.add_argument("--data", required=True)
    parser.add_argument("--encoder", default="minilm")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--source", default="sgd")
    parser.add_argument("--other", default="sgd", help="source of the questions in other domains")
    parser.add_argument("--max-answers", type=int)
    parser.add_argument("--questions", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=1, help="FAQs of each size")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = {"prior": prior, "faq": faqs, "dialogues": dialogues}[options.what](options)
    if options.json:
        options.json.write_text(
            json.dumps({"options": {k: str(v) for k, v in vars(options).items()}, "rows": result}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
