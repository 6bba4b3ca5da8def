import dataclasses
import json
import shutil

import numpy as np
import pytest

from cube_model import EmbeddingCache, ModelError
from cube_model._command import command_line
from cube_model.data.pairs import NO_TURN, NoPairsError, load_pairs
from cube_model.evaluation.config import ResponseSelectionConfig
from cube_model.evaluation.leaderboard.board import Leaderboard
from cube_model.evaluation.leaderboard.config import LeaderboardConfig
from cube_model.evaluation.methods import Method, identity, identity_with_context
from cube_model.evaluation.response_selection import METRICS, NEGATIVES, PROTOCOL, evaluate, note, to_json
from cube_model.evaluation.run import domains_of, run_response_selection
from cube_model.evaluation.tables import show
from cube_model.metrics.metrics import Draws, bootstrap_interval, gold_ranks, normalize, one_of_batch
from support.cube_fixtures import invented_dialogues, write_pairs


def random_unit(n, d=16, seed=0):
    return normalize(np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32))


def test_draws_are_seeded_and_use_no_row_twice():
    draws = Draws.of(1234, draws=3, seed=7)
    assert draws.batches.shape == (3, 12, 100)
    assert all(len(np.unique(draw)) == 1200 for draw in draws.batches)
    assert np.array_equal(draws.batches, Draws.of(1234, draws=3, seed=7).batches)
    assert not np.array_equal(draws.batches, Draws.of(1234, draws=3, seed=8).batches)
    assert Draws.of(30).batches.shape == (3, 1, 30)


def test_one_of_batch_by_hand():
    """Rows 0 and 1 have the same answer: both are right by text, but only the first by index."""
    answers = np.eye(4, dtype=np.float32)[[0, 0, 1, 2]]
    questions = np.eye(4, dtype=np.float32)[[0, 0, 1, 3]]
    questions[3] = [0, 1, 0, 0]  # prefers the answer of row 2
    by_text, by_index, unique = one_of_batch(
        questions, answers, np.array([9, 9, 8, 7]), Draws(np.arange(4)[None, None])
    )
    assert by_text[:, 0].tolist() == [1, 1, 1, 0]
    assert by_index[:, 0].tolist() == [1, 0, 1, 0]
    assert unique[:, 0].tolist() == [0, 0, 1, 1]


def test_perfect_map_reaches_one_by_text_and_at_least_the_ceiling_by_index():
    labels = np.random.default_rng(0).integers(0, 150, size=1000)
    vectors = random_unit(150)[labels]
    by_text, by_index, unique = one_of_batch(vectors, vectors, labels, Draws.of(1000))
    assert np.nanmean(by_text) == 1
    assert 0 < np.nanmean(unique) <= np.nanmean(by_index) < 1


def test_chance_is_one_in_a_hundred():
    by_text, _, _ = one_of_batch(random_unit(10_000), random_unit(10_000, seed=1), np.arange(10_000), Draws.of(10_000))
    assert np.nanmean(by_text) == pytest.approx(0.01, abs=0.003)


def test_rank_by_hand_and_in_chunks():
    pool = np.eye(3, dtype=np.float32)
    questions = np.array([[0.9, 0.3, 0.1], [0.9, 0.3, 0.1], [0.9, 0.3, 0.1]], dtype=np.float32)
    assert gold_ranks(questions, pool, np.array([0, 1, 2])).tolist() == [1, 2, 3]
    pool, gold = random_unit(40), np.arange(200) % 40
    whole = gold_ranks(random_unit(200, seed=1), pool, gold)
    np.testing.assert_array_equal(whole, gold_ranks(random_unit(200, seed=1), pool, gold, chunk=7))


def test_a_map_to_one_point_gains_nothing():
    collapsed = np.ones((300, 16), dtype=np.float32) / 4
    assert gold_ranks(collapsed, collapsed, np.arange(300)).min() == 300
    by_text, _, _ = one_of_batch(collapsed, collapsed, np.arange(300), Draws.of(300))
    assert np.nanmean(by_text) == pytest.approx(0.01)


def test_interval_is_over_dialogues():
    """50 dialogues of 20 equal rows have an interval as wide as that of 50 rows, not of 1000."""
    generator = np.random.default_rng(0)
    by_dialogue = generator.integers(0, 2, size=50).astype(np.float32)
    values, groups = np.repeat(by_dialogue, 20), np.repeat(np.arange(50), 20)
    mean, low, high = bootstrap_interval(values, groups)
    assert mean == pytest.approx(by_dialogue.mean())
    assert high - low == pytest.approx(2 * 1.96 * by_dialogue.std() / 50**0.5, rel=0.15)
    _, narrow_low, narrow_high = bootstrap_interval(values, np.arange(1000))
    assert (high - low) > 3 * (narrow_high - narrow_low)
    with_gaps = np.stack([values, np.where(groups % 2, np.nan, values)], axis=1)
    assert bootstrap_interval(with_gaps, groups)[0] == pytest.approx(np.nanmean(with_gaps))


def test_pairs_by_hand(tmp_path):
    turns = [
        ("user", "Hi"),
        ("system", "Hello!"),
        ("user", "Bye"),
        ("user", "Now"),
        ("system", "hello"),
        ("user", "Hi"),
    ]
    pairs = load_pairs(write_pairs(tmp_path / "data", {"train": [turns]}), "train", context_turns=2)
    read = [[None if i == NO_TURN else pairs.texts[i] for i in row] for row in pairs.questions]
    assert read == [["Hi", None, None], ["Now", "Bye", "Hello!"]]
    assert [pairs.texts[i] for i in pairs.answers] == ["Hello!", "hello"]
    assert pairs.labels[0] == pairs.labels[1]
    assert len(pairs.texts) == len(set(pairs.texts))
    assert pairs.licenses == ["CC0-1.0"] * 2


def test_a_command_line_can_be_pasted_into_a_shell(tmp_path):
    folder = tmp_path / "my data"
    folder.mkdir()
    config = ResponseSelectionConfig(str(folder), sources=["a", "b c"], max_pairs=3)
    assert command_line("evaluate response-selection", config) == (
        "dialogue-cube evaluate response-selection --data 'my data' --sources 'a,b c' --split test --max-pairs 3 "
        "--seed 0 --draws 3 --dtype auto --json FILE"
    )


def test_a_rewritten_folder_is_read_again_and_cached_once(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    for words in ("No.", "Sure."):
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
        folder = write_pairs(tmp_path / "data", {"train": [[("user", "Is it open?"), ("system", words)]]})
        assert load_pairs(folder, "train").texts == ["Is it open?", words]
        assert load_pairs(folder, "train").texts == ["Is it open?", words]
    assert len(list((tmp_path / "cache" / "dialogue-cube").glob("*/*/data"))) == 1


def test_a_sample_of_pairs_has_a_seed_and_a_fingerprint(pairs_folder):
    whole = load_pairs(pairs_folder, "train")
    assert len(whole) == 360
    sample = load_pairs(pairs_folder, "train", max_pairs=50, seed=1)
    again = load_pairs(pairs_folder, "train", max_pairs=50, seed=1)
    other = load_pairs(pairs_folder, "train", max_pairs=50, seed=2)
    assert len(sample) == 50
    assert sample.fingerprint == again.fingerprint
    assert len({sample.fingerprint, other.fingerprint, whole.fingerprint}) == 3
    assert load_pairs(pairs_folder, "train", context_turns=1).fingerprint != whole.fingerprint


@pytest.mark.parametrize(
    ("split", "options", "kind", "words"),
    [
        ("dev", {}, ModelError, "split 'dev'"),
        ("train", {"sources": ["sgd"]}, NoPairsError, "no source sgd.*choose from invented"),
        ("train", {"direction": ("system", "system")}, NoPairsError, "no system -> system pair"),
    ],
)
def test_errors_name_missing_pairs(pairs_folder, split, options, kind, words):
    with pytest.raises(kind, match=words):
        load_pairs(pairs_folder, split, **options)


def test_a_rebuilt_folder_gives_its_new_rows(tmp_path):
    for anchor in ("before", "after"):
        folder = write_pairs(tmp_path / anchor / "data", {"train": [[("user", anchor), ("system", "b")]]})
        assert load_pairs(folder, "train").texts[0] == anchor
    shutil.rmtree(folder)
    write_pairs(folder, {"train": [[("user", "third"), ("system", "b")]]})
    assert load_pairs(folder, "train").texts[0] == "third"


def test_errors_name_a_missing_dataset_and_missing_columns(tmp_path):
    import pyarrow.parquet as pq

    with pytest.raises(ModelError, match="nowhere: no such folder"):
        load_pairs(tmp_path / "nowhere", "train")
    folder = write_pairs(tmp_path / "data", {"train": [[("user", "a"), ("system", "b")]]})
    file = folder / "pairs" / "train-00000-of-00001.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["answer_id"]), file)
    with pytest.raises(ModelError, match="lacks answer_id"):
        load_pairs(folder, "train")


def test_methods_are_compared_on_the_same_vectors_and_batches(pairs_folder, minilm, cache_folder):
    pairs = load_pairs(pairs_folder, "test", context_turns=1)
    vectors = pairs.embed(minilm, EmbeddingCache(cache_folder))
    assert not vectors[-1].any()
    cheat = Method(
        "knows the answer", lambda questions: questions[:, 1], lambda answers: answers, parameters=3, turns=2
    )
    leaking = pairs.questions.copy()
    leaking[:, 1] = pairs.answers
    report = evaluate([identity(), cheat], dataclasses.replace(pairs, questions=leaking), vectors)
    first, second = (result.metrics for result in report.results if result.negatives == "random")
    assert second["accuracy_1_of_100"] == (1.0, 1.0, 1.0)
    assert second["mrr"][0] > first["mrr"][0]
    # answers that differ only in case and punctuation count as equal, but have different embeddings
    assert 0.99 < second["mean_cosine"][0] <= 1.0001
    assert all(low <= value <= high for value, low, high in first.values())
    assert 0 < report.ceiling_by_index < 1
    assert note(report) is None
    alone = evaluate([identity()], dataclasses.replace(pairs, questions=leaking), vectors)
    assert alone.results[0].metrics == first

    rows = to_json(report, source="invented", seed=0)
    assert [row["metric"] for row in rows[: len(METRICS)]] == list(METRICS)
    assert {"task", "source", "protocol", "method", "metric", "value", "ci95", "parameters"} <= set(rows[0])
    json.dumps(rows, allow_nan=False)


def test_a_note_warns_of_too_few_pairs(pairs_folder, minilm, cache_folder):
    pairs = load_pairs(pairs_folder, "test", max_pairs=20)
    report = evaluate([identity()], pairs, pairs.embed(minilm, EmbeddingCache(cache_folder)))
    assert report.batch == 20
    assert "only 20 pairs: scored 1-of-20" in note(report)
    assert "an accuracy is uncertain by ±0.2" in note(report)


def as_pairs(questions, answers, labels=None, dialogues=None):
    from cube_model.evaluation.baselines import EmbeddedPairs

    data = EmbeddedPairs.of_arrays(questions, answers, labels)
    pairs = data.pairs if dialogues is None else dataclasses.replace(data.pairs, dialogues=dialogues)
    return pairs, data.vectors


def test_negatives_of_the_same_domain_and_dialogue_are_harder():
    """Answers are close to those of their domain and even closer to those of their dialogue."""
    generator = np.random.default_rng(0)
    dialogues = np.arange(1200) // 6
    domain = dialogues % 3
    noise = generator.normal(size=(3, 1200, 16))
    base = 3 * generator.normal(size=(3, 16))[domain] + 2 * generator.normal(size=(200, 16))[dialogues] + noise[0]
    pairs, vectors = as_pairs(normalize(base + 2 * noise[1]), normalize(base), dialogues=dialogues)
    names = [["hotel"], ["train"], ["taxi", "hotel"]]
    report = evaluate([identity()], pairs, vectors, domains=[names[i] for i in domain])
    method = report.results[0].method
    results = {kind: report.find(method, kind) for kind in NEGATIVES}
    random, same_domain, same_dialogue = (results[kind].metrics["accuracy_1_of_100"][0] for kind in NEGATIVES)
    assert random > same_domain + 0.05
    assert random > same_dialogue + 0.05
    assert "mrr" in results["random"].metrics
    assert "mrr" not in results["same-domain"].metrics
    hotel = report.find(method, domain="hotel")
    assert (hotel.pairs, report.find(method, domain="train").pairs) == (798, 402)
    without = evaluate([identity()], pairs, vectors)
    assert {result.negatives for result in without.results} == {"random", "same-dialogue"}
    assert without.results[0].metrics == results["random"].metrics


def test_recall_grows_with_k():
    pairs, vectors = as_pairs(random_unit(300), random_unit(300, seed=1))
    metrics = evaluate([identity()], pairs, vectors).results[0].metrics
    recalls = [metrics[f"recall_at_{k}"][0] for k in (1, 10, 100)]
    assert recalls == sorted(recalls)
    assert recalls[2] == pytest.approx(1 / 3, abs=0.08)
    assert recalls[0] <= metrics["mrr"][0]


def test_a_dot_product_method_is_scored_by_dot_products():
    """An answer with a large norm wins every batch unless vectors are normalised; the mean cosine is one either way."""
    questions = np.abs(random_unit(100)).astype(np.float32)
    answers = questions.copy()
    answers[7] *= 50
    pairs, vectors = as_pairs(questions, answers)
    results = {
        cosine: evaluate([Method("m", lambda q: q[:, 0], lambda a: a, cosine=cosine)], pairs, vectors).results[0]
        for cosine in (True, False)
    }
    assert results[True].metrics["accuracy_1_of_100"][0] == 1
    assert results[False].metrics["accuracy_1_of_100"][0] == pytest.approx(0.01)
    assert results[False].metrics["mean_cosine"][0] == pytest.approx(1)


def with_domains(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    for file in (folder / "pairs").glob("*.parquet"):
        table = pq.read_table(file)
        domains = [
            ["hotel"] if int(name.rsplit("/", 1)[1]) % 2 else ["train"] for name in table["dialogue_id"].to_pylist()
        ]
        pq.write_table(table.append_column("domains", pa.array(domains, pa.list_(pa.string()))), file)
    return folder


def test_only_a_missing_domains_column_means_no_domains(tmp_path):
    import pyarrow.parquet as pq

    folder = write_pairs(tmp_path / "data", {"test": [[("user", "Is it open?"), ("system", "Yes.")]]})
    file = folder / "pairs" / "test-00000-of-00001.parquet"
    pairs = load_pairs(folder, "test")
    assert domains_of(folder, "test", pairs) is None
    pq.write_table(pq.read_table(file).drop_columns(["dialogue_id"]), file)
    with pytest.raises(ModelError, match="lacks dialogue_id, domains"):
        domains_of(folder, "test", pairs)
    file.write_bytes(b"not a parquet file")
    with pytest.raises(ModelError, match="cannot load the split 'test'"):
        domains_of(folder, "test", pairs)


def test_run_by_source_domain_and_number_of_turns(minilm, cache_folder, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    one, two = (
        write_pairs(tmp_path / name / "data", {"test": invented_dialogues(80, seed)}, name)
        for seed, name in enumerate(("one", "two"))
    )
    file = "pairs/test-00000-of-00001.parquet"
    pq.write_table(pa.concat_tables([pq.read_table(one / file), pq.read_table(two / file)]), one / file)
    with_domains(one)
    cache = EmbeddingCache(cache_folder)
    config = ResponseSelectionConfig(str(one), encoder="minilm", context_turns=2)
    reports, output = run_response_selection(config, cache=cache)
    assert list(reports) == ["all", "one", "two"]
    rows = output["results"]
    assert {row["source"] for row in rows} == {"all", "one", "two"}
    assert {row["turns"] for row in rows} == {1, 2, 3}
    assert {row["domain"] for row in rows} == {None, "hotel", "train"}
    assert {row["negatives"] for row in rows} == set(NEGATIVES)
    assert all(row["protocol"] == PROTOCOL for row in rows)
    assert reports["one"].pairs == 240
    alone, _ = run_response_selection(dataclasses.replace(config, sources=["one"]), cache=cache)
    first, second = (r.results[0].metrics for r in (alone["one"], reports["one"]))
    assert first["accuracy_1_of_100"] == second["accuracy_1_of_100"]
    json.dumps(output, allow_nan=False)


def test_an_encoder_reads_context_as_a_mean_and_as_one_text(pairs_folder, minilm, cache_folder):
    config = ResponseSelectionConfig(str(pairs_folder), encoder="minilm", context_turns=1)
    reports, _ = run_response_selection(config, cache=EmbeddingCache(cache_folder))
    results = [r for r in reports["invented"].results if (r.negatives, r.domain) == ("random", None)]
    assert [(r.method.name, r.method.turns) for r in results] == [
        ("identity", 1),
        ("identity", 2),
        ("joined turns", 2),
    ]
    pairs = load_pairs(pairs_folder, "test", context_turns=1)
    texts = [
        " [SEP] ".join(pairs.texts[i] for i in turns if i >= 0)  # MiniLM's separator
        for turns in pairs.questions.tolist()
    ]
    assert any(" [SEP] " in text for text in texts)
    teacher = results[2].method.teacher
    questions, answers = (teacher.encode(each) for each in (texts, [pairs.texts[i] for i in pairs.answers]))
    by_text, _, _ = one_of_batch(questions, answers, pairs.labels, Draws.of(len(pairs)))
    assert results[2].metrics["accuracy_1_of_100"][0] == pytest.approx(np.nanmean(by_text), abs=0.02)
    assert results[2].metrics["mrr"] != results[1].metrics["mrr"]


def test_precision_of_the_encoder_can_be_chosen(pairs_folder, minilm, cache_folder):
    config = ResponseSelectionConfig(str(pairs_folder), encoder="minilm", dtype="float32")
    _, output = run_response_selection(config, cache=EmbeddingCache(cache_folder))
    assert output["encoder"]["dtype"] == "float32"
    with pytest.raises(ModelError, match=r"dtype: expected one of float32, .* found 'int8'"):
        dataclasses.replace(config, dtype="int8")


def test_encoder_and_core_side_by_side(pairs_folder, cache_folder, trained_core, capsys):
    config = ResponseSelectionConfig(str(pairs_folder), str(trained_core), context_turns=1)
    reports, output = run_response_selection(config, cache=EmbeddingCache(cache_folder))
    shown = list(dict.fromkeys((row["method"], row["turns"]) for row in output["results"]))
    assert shown == [("identity", 1), ("trained core", 1), ("identity + context", 2), ("trained core", 2)]
    assert all(output["fingerprints"].values())
    show(reports, "invented", output["sources"])
    printed = capsys.readouterr().out
    assert "identity + context: the encoder on the core's turns, turn k back times" in printed
    assert "…" not in printed, "it fits into 80 columns"


def test_the_encoder_weighs_context_as_other_pairs_suggest():
    """The answer is near the sum of the question and half of the turn before it, or near the question alone."""
    question, before, noise = np.random.default_rng(0).normal(size=(3, 600, 16)).astype(np.float32)
    for weight, close in ((0.5, (0.3, 0.5, 0.7)), (0.0, (0.0, 0.05, 0.1))):
        pairs, vectors = as_pairs(normalize(question), normalize(question + weight * before + 0.7 * noise))
        turns = np.stack([pairs.questions[:, 0], np.arange(600, dtype=np.int32) + len(vectors) - 1], axis=1)
        table = np.concatenate([vectors[:-1], normalize(before), vectors[-1:]])
        method = identity_with_context(2, dataclasses.replace(pairs, questions=turns), table)
        assert any(f"times {value:g}^k" in method.remark for value in close), method.remark
        assert (method.name, method.turns) == ("identity + context", 2)


def test_tables_show_all_figures(minilm, cache_folder, tmp_path, capsys):
    folder = with_domains(write_pairs(tmp_path / "data", {"test": invented_dialogues(90)}))
    config = ResponseSelectionConfig(str(folder), encoder="minilm")
    reports, output = run_response_selection(config, cache=EmbeddingCache(cache_folder))
    show(reports, "invented", output["sources"])
    printed = capsys.readouterr().out
    for word in ("identity", "same", "dialogue", "by domain", "hotel", "ceiling by index", "270 pairs"):
        assert word in printed
    for explained in ("1 of 100:", "by index:", "ceiling by index:", "same domain:", "same dialogue:", "identity:"):
        assert f"\n{explained}" in printed


def test_a_dataset_without_a_test_split_says_what_is_missing(tmp_path):
    """Six questions with answers: `build` may put none of them into the split."""
    data = write_pairs(tmp_path / "data", {"train": invented_dialogues(6)})
    advice = r"no test split, only train\. .* takes 95 test pairs, about 950 in all.* a file named test\.csv"
    with pytest.raises(ModelError, match=advice):
        run_response_selection(ResponseSelectionConfig(data=str(data)))
    with pytest.raises(ModelError, match=advice):
        Leaderboard(LeaderboardConfig(data=str(data)), tmp_path / "results")
