import dataclasses
import json
import warnings

import numpy as np
import pytest
import torch

from cube_model import (
    CubeTrainer,
    DatasetConfig,
    DialogueConfig,
    DialogueDataset,
    ModelError,
    Teacher,
    TrainingConfig,
    create_conversation_dataset,
    create_dialogue_dataset,
    load_dialogue_dataset_from_files,
)
from cube_model.data.held_out import split_rows
from cube_model.teacher.find import DEFAULT_TEACHER
from support.tiny_teacher import save_tiny_distilbert

DIMENSION = 48


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teachers")
    save_tiny_distilbert(folder / DEFAULT_TEACHER, DIMENSION)
    return folder


@pytest.fixture(autouse=True)
def tiny_default_teacher(teachers, tmp_path, monkeypatch):
    monkeypatch.setenv("TEACHERS_DIR", str(teachers))
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        "huggingface_hub.constants.HF_HUB_OFFLINE", True
    )  # fail at once instead of waiting for the network


def faq(count):
    return [
        {"question": f"When do you open on day {i}?", "answer": f"On day {i} we open at nine."} for i in range(count)
    ]


def conversations(count):
    return [
        [
            {"role": "user", "text": f"Hello, table {i} please."},
            {"role": "assistant", "text": f"For how many, table {i}?"},
            {"role": "user", "text": f"For {i} people."},
            {"role": "assistant", "text": f"Table {i} is yours."},
            {"role": "user", "text": "Thank you!"},
            {"role": "assistant", "text": "You are welcome."},
        ]
        for i in range(count)
    ]


def create(pairs, **options):
    return create_dialogue_dataset(pairs, progress=False, teacher_dtype="float32", **options)


def pair_texts(dataset):
    texts, pairs = dataset.pairs.texts, dataset.pairs
    return [(texts[q], texts[a]) for q, a in zip(pairs.questions[:, 0], pairs.answers, strict=True)]


def test_items_are_the_teachers_embeddings_of_question_and_answer():
    dataset = create(faq(10), validation_split=0.2)
    assert (len(dataset), len(dataset.validation)) == (8, 2)
    teacher = Teacher.load(DEFAULT_TEACHER, "float32")
    for (question, answer), texts in zip(dataset, pair_texts(dataset), strict=True):
        expected = torch.from_numpy(teacher.encode(texts))
        torch.testing.assert_close(torch.stack([question, answer]), expected)
        assert question.shape == answer.shape == (DIMENSION,)


def test_index_is_an_integer_a_slice_or_a_list():
    dataset = create(faq(10))
    questions, answers = dataset[[3, 1]]
    assert torch.equal(questions[0], dataset[3][0])
    assert torch.equal(answers[1], dataset[1][1])
    assert torch.equal(dataset[1:3][0], dataset[np.array([1, 2])][0])
    assert torch.equal(dataset[-1][0], dataset[len(dataset) - 1][0])
    assert torch.equal(dataset[np.int64(2)][1], dataset[2][1])
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_loader_yields_every_pair_once_in_a_seeded_order():
    dataset = create(faq(30), seed=3)
    batches = list(dataset.get_dataloader(batch_size=7))
    assert [len(questions) for questions, _ in batches] == [7, 7, 7, 3]
    seen = torch.cat([answers for _, answers in batches])
    assert not torch.equal(seen, dataset[:][1])
    assert sorted(map(tuple, seen.tolist())) == sorted(map(tuple, dataset[:][1].tolist()))
    again = create(faq(30), seed=3).get_dataloader(batch_size=7)
    assert torch.equal(seen, torch.cat([answers for _, answers in again]))
    assert not torch.equal(
        seen, torch.cat([answers for _, answers in again])
    )  # the second epoch is in a different order


def test_validation_loader_without_shuffling():
    dataset = create(faq(10), validation_split=0.5)
    ((questions, answers),) = dataset.get_dataloader(batch_size=8, shuffle=False, validation=True)
    assert torch.equal(questions, dataset.validation[:][0])
    assert torch.equal(answers, dataset.validation[:][1])
    with pytest.raises(ModelError, match="no validation pairs"):
        create(faq(3), validation_split=0).get_dataloader(validation=True)
    with pytest.raises(ModelError, match="batch_size is 0"):
        dataset.get_dataloader(batch_size=0)


def test_plain_torch_loader_and_worker_processes():
    dataset = create(faq(10))
    plain = torch.utils.data.DataLoader(dataset, batch_size=4)
    assert torch.equal(torch.cat([questions for questions, _ in plain]), dataset[:][0])
    workers = dataset.get_dataloader(batch_size=4, shuffle=False, num_workers=1)
    assert torch.equal(torch.cat([questions for questions, _ in workers]), dataset[:][0])


def test_context_follows_the_question_most_recent_turn_first():
    dataset = create_conversation_dataset(conversations(4), validation_split=0, teacher_dtype="float32", progress=False)
    assert dataset.context_turns == 2
    texts = [*dataset.pairs.texts, None]
    turns = [[texts[row] for row in rows] for rows in dataset.pairs.questions[:3]]
    assert turns == [
        ["Hello, table 0 please.", None, None],
        ["For 0 people.", "For how many, table 0?", "Hello, table 0 please."],
        ["Thank you!", "Table 0 is yours.", "For 0 people."],
    ]
    question, answer = dataset[0]
    assert question.shape == (3, DIMENSION)
    assert not question[1:].any()
    assert answer.shape == (DIMENSION,)


def test_conversations_are_held_out_whole_and_common_pairs_stay_in_training():
    dataset = create_conversation_dataset(conversations(10), validation_split=0.3, progress=False)
    train, validation = set(dataset.pairs.dialogues), set(dataset.validation.pairs.dialogues)
    assert (len(train), len(validation)) == (7, 3)
    assert not train & validation
    assert not set(pair_texts(dataset)) & set(pair_texts(dataset.validation))
    assert dataset.statistics()["dropped"] == {"held out, but training has it too": 3}


def test_equal_pairs_are_never_in_both_splits():
    repeated = [
        {"question": text, "answer": "We open at nine."} for text in ("When?", "when", " WHEN?! ", "Why?", "Who?")
    ]
    for seed in range(5):
        dataset = create(repeated, validation_split=0.4, seed=seed)
        train, validation = (
            {question.strip(" ?!").lower() for question, _ in pair_texts(split)}
            for split in (dataset, dataset.validation)
        )
        assert not train & validation
        assert len(dataset) + len(dataset.validation) == 5


def test_split_is_seeded():
    first, same, other = (pair_texts(create(faq(40), seed=seed).validation) for seed in (1, 1, 2))
    assert first == same
    assert first != other


def test_without_multiturn_only_the_first_exchange_is_used():
    dataset = create_conversation_dataset(conversations(3), support_multiturn=False, validation_split=0, progress=False)
    assert [question for question, _ in pair_texts(dataset)] == [f"Hello, table {i} please." for i in range(3)]
    assert dataset[0][0].shape == (DIMENSION,)
    assert dataset.statistics()["dropped"] == {"a later exchange of a conversation": 6}


def test_length_limits_of_questions_and_answers_drop_and_count():
    pairs = [
        {"question": "Why?", "answer": "Because of it."},
        {"question": "Why is it so?", "answer": "No."},
        {"question": "Why is it so very long a question?", "answer": "Because of it."},
        {"question": "Why is it so?", "answer": "Because of a thousand and one other things."},
        {"question": "Why is it so?", "answer": "Because of it."},
    ]
    limits = {"min_question_length": 5, "max_question_length": 20, "min_answer_length": 4, "max_answer_length": 20}
    dataset = create(pairs, validation_split=0, **limits)
    assert pair_texts(dataset) == [("Why is it so?", "Because of it.")]
    assert dataset.statistics()["dropped"] == {
        "answer longer than max_answer_length": 1,
        "answer shorter than min_answer_length": 1,
        "question longer than max_question_length": 1,
        "question shorter than min_question_length": 1,
    }
    assert len(create(pairs, validation_split=0, enable_quality_filter=False, **limits)) == 5
    with pytest.raises(ModelError, match=r"no pair is left of 5 read \(.*5 question shorter"):
        create(pairs, min_question_length=1000, max_question_length=1000)


def test_quality_filters_of_the_corpora_flag_or_drop():
    pairs = [*faq(4), {"question": "Where is it?", "answer": "It is [url=x]here[/url] &nbsp; &amp; there."}]
    flagged = create(pairs, validation_split=0).statistics()
    assert flagged["pairs"] == 5
    assert flagged["flagged"]["markup"] == 1
    assert 0 < flagged["quality"]["score"] < flagged["quality"]["cleanness"] < 1
    strict = create(pairs, validation_split=0, quality="strict").statistics()
    assert strict["pairs"] == 4
    assert sum(strict["dropped"].values()) == 1
    with pytest.raises(ModelError, match="quality: no quality preset"):
        create(pairs, quality="best")


def test_cosine_limits_drop_and_count():
    unlimited = create(faq(12), validation_split=0)
    cosines = (unlimited[:][0] * unlimited[:][1]).sum(1)
    middle = cosines.median().item()
    low = create(faq(12), validation_split=0, min_similarity=middle)
    assert len(low) == int((cosines >= middle).sum()) < 12
    assert low.statistics()["dropped"] == {"cosine is below min_similarity": 12 - len(low)}
    assert low.statistics()["cosine"]["training"] > unlimited.statistics()["cosine"]["training"]
    high = create(faq(12), validation_split=0, max_similarity=middle)
    assert high.statistics()["dropped"] == {"cosine is above max_similarity": 12 - len(high)}


def test_statistics_are_complete_and_serialisable():
    pairs = [*faq(9), {"question": "Who?", "answer": ""}, faq(1)[0]]
    stats = create(pairs).statistics()
    assert json.loads(json.dumps(stats)) == stats
    assert (stats["read"], stats["pairs"], stats["distinct_texts"]) == (11, 10, 18)
    assert stats["dropped"] == {"the answer is empty": 1}
    assert stats["pairs"] == stats["training_pairs"] + stats["validation_pairs"]
    assert stats["length"]["question"] == {"mean": 26.0, "median": 26.0, "max": 26}
    assert stats["teacher"]["name"] == DEFAULT_TEACHER
    assert stats["vector_bytes"] == (18 + 1) * DIMENSION * 4
    assert stats["data_fingerprint"] == create(pairs).statistics()["data_fingerprint"]
    assert stats["data_fingerprint"] != create(faq(9)).statistics()["data_fingerprint"]


def test_second_dataset_reads_the_cache(tmp_path):
    first, second = (create(faq(10), cache_dir=str(tmp_path / "own")) for _ in range(2))
    assert (first.cache_stats.hits, first.cache_stats.misses) == (0, 20)
    assert (second.cache_stats.hits, second.cache_stats.misses) == (20, 0)
    assert torch.equal(first.vectors, second.vectors)
    uncached = create(faq(10), cache_dir=str(tmp_path / "none"), use_cache=False)
    assert uncached.cache_stats.misses == 0
    assert not (tmp_path / "none").exists()
    torch.testing.assert_close(uncached.vectors, first.vectors)


def test_training_data_is_what_the_trainer_reads():
    data = create_conversation_dataset(conversations(10), progress=False).training_data()
    assert data.context_turns == 2
    assert np.shares_memory(data.train_vectors, data.validation_vectors)
    assert data.teacher["name"] == DEFAULT_TEACHER
    assert len(data.train) == 24
    with pytest.raises(ModelError, match="no validation pairs"):
        create(faq(3), validation_split=0).training_data()


def test_training_rejects_embeddings_that_are_not_normalised():
    dataset = create(faq(5), normalize_embeddings=False)
    assert (dataset.vectors[:-1].norm(dim=1) - 1).abs().min() > 0.01
    with pytest.raises(ModelError, match="normalize_embeddings"):
        dataset.training_data()


FILES = {
    "faq.json": json.dumps(faq(6)),
    "faq.jsonl": "\n".join(map(json.dumps, faq(6))),
    "faq.csv": "question,answer\n" + "\n".join(f"{p['question']},{p['answer']}" for p in faq(6)),
    "faq.txt": "\n\n".join(f"Q: {p['question']}\nA: {p['answer']}" for p in faq(6)),
    "chat.jsonl": "\n".join(
        json.dumps(
            {"messages": [{"role": "user", "content": p["question"]}, {"role": "assistant", "content": p["answer"]}]}
        )
        for p in faq(6)
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_every_file_format_gives_the_same_pairs(tmp_path, name):
    (tmp_path / name).write_text(FILES[name], encoding="utf-8")
    dataset = load_dialogue_dataset_from_files(tmp_path / name, validation_split=0, progress=False)
    assert pair_texts(dataset) == [(p["question"], p["answer"]) for p in faq(6)]


def test_several_files_with_custom_column_names(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "faq.csv").write_text(
            f"ask,say\nWhere is {folder}?,Here is {folder}.\nWho?,It is {folder}.\n"
        )
    columns = {"question_column": "ask", "answer_column": "say"}
    paths = [tmp_path / "a" / "faq.csv", tmp_path / "b" / "faq.csv"]
    dataset = load_dialogue_dataset_from_files(paths, validation_split=0, reader=columns, progress=False)
    assert [answer for _, answer in pair_texts(dataset)] == ["Here is a.", "It is a.", "Here is b.", "It is b."]
    assert dataset.statistics()["dialogues"] == 4


def test_validation_file_is_held_out_and_test_file_is_skipped(tmp_path, caplog):
    for number, split in enumerate(("train", "validation", "test")):
        rows = [{"question": f"What is {split} {i}?", "answer": f"It is {split} {i}."} for i in range(number + 2)]
        (tmp_path / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = load_dialogue_dataset_from_files(tmp_path, progress=False)
    assert (len(dataset), len(dataset.validation)) == (2, 3)
    assert dataset.statistics()["dropped"] == {"of a test file": 4}
    assert all("validation" in question for question, _ in pair_texts(dataset.validation))
    assert "skipped 4 dialogues" in caplog.text


def test_file_errors_are_one_line(tmp_path):
    with pytest.raises(ModelError, match="no such file or folder"):
        load_dialogue_dataset_from_files(tmp_path / "none.json")
    (tmp_path / "intents.csv").write_text("text,label\nhello there,greet\nbye now,leave\n")
    with pytest.raises(ModelError, match="2 a labelled utterance, not a dialogue"):
        load_dialogue_dataset_from_files(tmp_path / "intents.csv")
    with pytest.raises(ModelError, match="the list of files is empty"):
        load_dialogue_dataset_from_files([])
    with pytest.raises(
        ModelError,
        match="reader of files has no option delimiter; choose from max_bad_share, skip_bad_files, rejects, format",
    ):
        load_dialogue_dataset_from_files(tmp_path / "intents.csv", reader={"delimiter": ";"})
    with pytest.raises(ModelError, match=r"pairs.npz: a file of embeddings.*from_embeddings"):
        load_dialogue_dataset_from_files(tmp_path / "pairs.npz")


def test_embedding_dim_must_match_the_teacher():
    assert create(faq(5), embedding_dim=DIMENSION).dimension == DIMENSION
    with pytest.raises(ModelError, match=f"embeddings of {DEFAULT_TEACHER} have {DIMENSION} dimensions: set it to"):
        create(faq(5), embedding_dim=768)


def test_unavailable_teacher_says_what_to_do_and_a_fallback_is_recorded():
    with pytest.raises(ModelError, match=r'put it at .*fallback=\["minilm"\]'):
        create(faq(5), teacher="llama2")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dataset = create(faq(5), teacher="llama2", fallback=[DEFAULT_TEACHER])
    assert any("llama2" in str(warning.message) for warning in caught)
    assert dataset.teacher["name"] == DEFAULT_TEACHER
    assert dataset.teacher["fallback_from"] == ["llama2"]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("teacher", " ", "a short name"),
        ("fallback", "minilm", "a list of teachers"),
        ("embedding_dim", 0, "at least 1"),
        ("validation_split", 1, "from 0 to below 1"),
        ("validation_split", -0.1, "from 0 to below 1"),
        ("validation_split", "0.2", "from 0 to below 1"),
        ("seed", -1, "at least 0"),
        ("use_cache", 1, "True or False"),
        ("enable_quality_filter", "yes", "True or False"),
        ("min_question_length", 0, "at least 1"),
        ("max_question_length", 1, "at least min_question_length"),
        ("max_answer_length", 2.5, "a whole number"),
        ("min_similarity", 1.5, "a cosine"),
        ("max_similarity", float("nan"), "a cosine"),
        ("context_turns", -1, "at least 0"),
        ("teacher_dtype", "int8", "float32"),
    ],
)
def test_config_names_the_field_and_what_is_expected(field, value, expected):
    with pytest.raises(ModelError, match=f"^{field} is .*: expected .*{expected}"):
        DialogueConfig(**{field: value})


def test_contradictory_and_unknown_options_are_errors():
    with pytest.raises(ModelError, match=r"context_turns is 2.*support_multiturn is off"):
        DialogueConfig(support_multiturn=False, context_turns=2)
    with pytest.raises(ModelError, match=r"max_similarity is 0.1: expected at least min_similarity"):
        DialogueConfig(min_similarity=0.5, max_similarity=0.1)
    with pytest.raises(ModelError, match="DialogueConfig has no field validation_spilt"):
        create(faq(3), validation_spilt=0.1)


def test_arguments_override_the_config():
    config = DialogueConfig(validation_split=0.5, progress=False)
    assert len(create_dialogue_dataset(faq(10), config=config)) == 5
    assert len(create_dialogue_dataset(faq(10), validation_split=0.1, config=config)) == 9
    assert config.validation_split == 0.5


def test_teacher_model_is_an_alias_of_teacher():
    config = DialogueConfig(teacher_model="mpnet")
    assert (config.teacher, config.teacher_model) == ("mpnet", "mpnet")
    assert dataclasses.replace(config, teacher="bert").teacher == "bert"
    assert dataclasses.replace(config, teacher_model="bert").teacher == "bert"
    assert DatasetConfig(teacher_model="mpnet").teacher == "mpnet"
    with pytest.raises(ModelError, match="teacher is ' '"):
        DialogueConfig(teacher_model=" ")
    with pytest.raises(ModelError, match="teacher llama2"):
        create(faq(5), teacher_model="llama2")


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([{"foo": "bar"}], r"dialogue_pairs\[0\]: no known keys among foo; expected"),
        ([*faq(2), "text"], r"dialogue_pairs\[2\]: expected an object, found a text"),
        ("question", "dialogue_pairs is a str: expected a list"),
        ([{"text": "hello", "label": "greet"}], r"dialogue_pairs\[0\]: a labelled utterance"),
        ([], "no pair is left of 0 read"),
        ([{"question": "Who?", "answer": " "}], "no pair is left of 1 read .1 the answer is empty"),
    ],
)
def test_error_names_the_bad_record(records, message):
    with pytest.raises(ModelError, match=message):
        create(records)


def test_unanswered_conversation_is_counted():
    silent = [[{"role": "user", "text": "Is anybody there?"}]]
    with pytest.raises(ModelError, match=r"no pair is left of 1 read \(1 no turn of the user is answered\)"):
        create_conversation_dataset(silent)
    dataset = create_conversation_dataset([*conversations(2), *silent], validation_split=0, progress=False)
    stats = dataset.statistics()
    assert (stats["read"], stats["pairs"]) == (7, 6)
    assert stats["dropped"] == {"no turn of the user is answered": 1}


def test_tuples_and_russian_keys_are_accepted():
    expected = [("Где вы?", "Мы здесь."), ("Когда?", "В девять.")]
    dicts = [{"вопрос": question, "ответ": answer} for question, answer in expected]
    for records in (expected, dicts):
        dataset = DialogueDataset.from_pairs(records, DialogueConfig(validation_split=0, progress=False), language="ru")
        assert pair_texts(dataset) == expected
        assert dataset.pairs.languages == ["ru", "ru"]


def test_split_keeps_dialogues_whole():
    dialogues = np.repeat(np.arange(10), 2)
    keys = np.arange(20)
    keys[1::2] = 99  # the second pair of every dialogue is the same
    train, validation, duplicates = split_rows(dialogues, keys, 0.3, 0, np.zeros(20, bool))
    assert (len(train), len(validation), duplicates) == (14, 3, 3)
    assert not set(dialogues[train]) & set(dialogues[validation])
    train, validation, _ = split_rows(dialogues[:2], keys[:2], 0.5, 0, np.zeros(2, bool))
    assert (len(train), len(validation)) == (2, 0)


def test_real_teacher_ranks_the_true_answer_first(minilm, cache_folder, monkeypatch):
    monkeypatch.undo()  # TEACHERS_DIR leads to the tiny teacher
    pairs = [
        ("Can I bring my dog to the hotel?", "Yes, dogs are welcome in every room."),
        ("When does the last train leave?", "The last train leaves at half past eleven."),
        ("How do I reset my password?", "Choose 'forgotten password' and follow the mail."),
    ]
    dataset = create_dialogue_dataset(
        pairs, "minilm", 0, teacher_dtype="float32", device="cpu", cache_dir=str(cache_folder), progress=False
    )
    questions, answers = dataset[:]
    assert (questions @ answers.T).argmax(1).tolist() == [0, 1, 2]
    assert dataset.teacher["fingerprint"] == minilm.fingerprint
    assert dataset.statistics()["cosine"]["training"] > 0.4


def test_train_test_split_keeps_whole_dialogues_and_no_pair_is_in_two_splits():
    conversations = [
        [
            {"role": role, "text": f"{text} {number}"}
            for text in ("Is there a bus of line", "Every so often goes line")
            for role, text in (("user", text), ("assistant", f"{text} yes"))
        ]
        for number in range(20)
    ]
    dataset = create_conversation_dataset(conversations)
    splits = dataset.train_test_split(test_size=0.25)
    train, test = splits["train"], splits["test"]
    assert (len(train), len(train.validation), len(test), len(test.validation)) == (24, 6, 10, 0)
    sets = [set(pairs.pairs.dialogues.tolist()) for pairs in (train, train.validation, test)]
    assert sum(map(len, sets)) == len(set.union(*sets)) == 20
    again = dataset.train_test_split(test_size=0.25)["test"]
    assert again.pairs.dialogues.tolist() == test.pairs.dialogues.tolist()
    assert dataset.train_test_split(0.25, seed=1)["test"].pairs.dialogues.tolist() != test.pairs.dialogues.tolist()
    with pytest.raises(ModelError, match="test_size is 1: expected a share above 0 and below 1"):
        dataset.train_test_split(1)
    trainer = CubeTrainer(TrainingConfig(embedding_dim=DIMENSION, epochs=1, progress=False))
    assert trainer.evaluate(test) != trainer.evaluate(train)  # all its pairs; those of `train.validation`
    assert trainer.evaluate(train) == trainer.evaluate(train.validation)
