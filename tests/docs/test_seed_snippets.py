"""The code in the description of the predecessor project runs unchanged, apart from the names of its modules."""

import os
import re
from pathlib import Path

import pytest
import torch

import cube_model
from support.shared import SHARED, shared_folder
from support.tiny_teacher import save_tiny_distilbert

DESCRIPTION = """
# Датасет диалогов

```python
# Схема, не код:
Текст вопроса → Teacher LLM → question_embedding (768D)
question_embedding → [8×8×12 куб] → answer_embedding
```

```yaml
torch: ">=1.9.0"
```

```python
from training.embedding_trainer import create_dialogue_dataset, DialogueDataset

# Пары «вопрос - ответ»
dialogue_pairs = [
    {"question": "Что такое решётка?", "answer": "Ячейки в трёх измерениях..."},
    {"question": "Как она учится?", "answer": "На парах вопросов и ответов..."}
]

dataset = create_dialogue_dataset(
    dialogue_pairs=dialogue_pairs,
    teacher_model="distilbert",
    validation_split=0.2
)

for question_emb, answer_emb in dataset:
    # question_emb: [768] → answer_emb: [768]
    pass
```

```python
from training.embedding_trainer import CubeTrainer, TrainingConfig

config = TrainingConfig(
    mode="dialogue",
    lattice_size=[8, 8, 12],  # 8*8*12 = 768D
    embedding_dim=768
)

trainer = CubeTrainer(config=config)
trainer.initialize_components()

# trainer.train(dataset)
```

```python
config = DialogueConfig(
    teacher_model="distilbert",
    embedding_dim=768,
    validation_split=0.2,
    enable_quality_filter=True,      # фильтр пар
    support_multiturn=True,          # беседы
    use_cache=True,                  # кэш
    normalize_embeddings=True        # длина 1
)
```
"""

PAIRS = [(f"Сколько стоит доставка в город номер {i}?", f"Доставка туда стоит {100 + i} рублей.") for i in range(12)]


@pytest.fixture
def distilbert(tmp_path, monkeypatch):
    save_tiny_distilbert(tmp_path / "teachers" / "distilbert")
    monkeypatch.setenv("TEACHERS_DIR", str(tmp_path / "teachers"))
    monkeypatch.setenv("DIALOGUE_CUBE_CACHE", str(tmp_path / "cache"))


def snippets(description):
    """Return the Python blocks with imports from `cube_model`; a block with an arrow outside comments is a diagram."""
    blocks = re.findall(r"^```python\n(.*?)^```", description, re.MULTILINE | re.DOTALL)
    code = [block for block in blocks if "→" not in re.sub(r"#.*", "", block)]
    assert len(code) == len(blocks) - 1
    return [re.sub(r"^from [\w.]+ import", "from cube_model import", block, flags=re.MULTILINE) for block in code]


def run(description):
    names = {name: getattr(cube_model, name) for name in ("DialogueConfig",)}  # the snippets use it without an import
    for snippet in snippets(description):
        exec(compile(snippet, "snippet", "exec"), names)
    return names


def check(names):
    dataset, trainer = names["dataset"], names["trainer"]
    assert (len(dataset), len(dataset.validation)) == (1, 1)
    assert names["question_emb"].shape == names["answer_emb"].shape == (768,)
    assert names["config"].enable_quality_filter is True
    assert torch.equal(trainer.forward(names["question_emb"]), names["question_emb"])  # untrained: the identity


def test_the_snippets_run(distilbert):
    check(run(DESCRIPTION))


def test_the_snippets_of_the_real_description_run(distilbert):
    root = shared_folder() / "seeds"
    path = root / "cubic-core-dialogue-dataset.ru.md"
    if not path.is_file():
        pytest.skip(f"{path} does not exist: set {SHARED} to a folder with seeds/")
    check(run(path.read_text(encoding="utf-8")))


def test_the_commented_out_training_runs(distilbert, tmp_path):
    """The snippets have `trainer.train(dataset)` as a comment; here it runs with more pairs."""
    dataset = cube_model.create_dialogue_dataset(PAIRS, "distilbert", 0.2, language="ru", progress=False)
    config = cube_model.TrainingConfig(
        mode="dialogue",
        lattice_size=[8, 8, 12],
        embedding_dim=768,
        epochs=2,
        batch_size=4,
        progress=False,
        device="cpu",
    )
    trainer = cube_model.CubeTrainer(config=config)
    trainer.train(dataset)
    assert trainer.forward(dataset[0][0]).shape == (768,)
    assert trainer.model.config.lattice_size == [8, 8, 12]
    assert trainer.model.config.teacher["fingerprint"] == dataset.teacher["fingerprint"]


@pytest.mark.slow
def test_a_real_teacher_of_768_dimensions(tmp_path):
    folder = Path(os.environ.get("TEACHERS_DIR") or "~/.cache/dialogue-cube/teachers").expanduser() / "mpnet"
    if not folder.is_dir():
        pytest.skip("no teacher mpnet in TEACHERS_DIR; make it with make_teachers.py DEST mpnet")
    config = cube_model.DialogueConfig(
        teacher_model="mpnet", embedding_dim=768, cache_dir=str(tmp_path), progress=False
    )
    dataset = cube_model.DialogueDataset.from_pairs(
        [("Where is my parcel?", "It will be delivered tomorrow."), ("Can I pay by card?", "Yes, we take all cards.")],
        config,
    )
    assert dataset[0][0].shape == (768,)
    assert dataset.statistics()["cosine"]["training"] > 0.2
