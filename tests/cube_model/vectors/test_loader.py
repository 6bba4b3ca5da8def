import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cube_model import ModelError
from cube_model.teacher.find import DEFAULT_TEACHER, KNOWN_TEACHERS
from cube_model.vectors.loader import EmbeddingLoader

TEXTS = ["I need a room.", "Yes.", "I need a room.", "Да, спасибо.", "Could you book a table for four people?"]


def test_default_teacher_and_short_names():
    import inspect

    assert inspect.signature(EmbeddingLoader).parameters["teacher"].default == DEFAULT_TEACHER
    assert (
        EmbeddingLoader(teacher_model="minilm", use_cache=False).teacher.name == EmbeddingLoader("minilm").teacher.name
    )
    names = "distilbert bert roberta gpt2 llama2 llama3 mistral mpnet minilm multilingual-e5"
    assert set(names.split()) <= set(KNOWN_TEACHERS)


@pytest.mark.parametrize("use_cache", [True, False])
def test_with_and_without_a_cache(minilm, tmp_path, use_cache):
    loader = EmbeddingLoader("minilm", device="cpu", use_cache=use_cache, cache_dir=tmp_path / "cache")
    np.testing.assert_allclose(loader.embed(TEXTS), minilm.encode(TEXTS), atol=2e-6)
    first = loader.embed(TEXTS)
    assert np.array_equal(first, loader.embed(TEXTS))
    assert loader.dimension == 384
    stats = loader.cache_stats
    assert (stats.hits, stats.misses) == ((8, 4) if use_cache else (0, 0))
    assert (stats.bytes > 0) == (stats.seconds_saved > 0) == (tmp_path / "cache").exists() == use_cache


def test_fallback_embeddings_are_cached_under_the_fallback(minilm, tmp_path, monkeypatch):
    """The cache key is the teacher that was loaded, not the unavailable one."""
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.warns(UserWarning, match="llama2"):
        loader = EmbeddingLoader("llama2", fallback=["minilm"], device="cpu", cache_dir=tmp_path)
    vectors = loader.embed(TEXTS)
    assert loader.describe()["name"] == "minilm"
    assert loader.describe()["fallback_from"] == ["llama2"]
    (shelf,) = loader.cache.shelves()
    assert (shelf.teacher, shelf.fingerprint, shelf.vectors) == ("minilm", minilm.fingerprint, 4)
    other = EmbeddingLoader("minilm", device="cpu", prefix="query: ", cache_dir=tmp_path)
    assert np.abs(other.embed(TEXTS) - vectors).max() > 0.01
    assert other.cache_stats.hits == 0


def test_half_precision_is_the_same_on_both_calls(minilm, tmp_path):
    loader = EmbeddingLoader("minilm", device="cpu", cache_dir=tmp_path, cache_precision="float16")
    first, second = loader.embed(TEXTS), loader.embed(TEXTS)
    assert first.dtype == second.dtype == np.float32
    assert np.array_equal(first, second)
    np.testing.assert_allclose(first, minilm.encode(TEXTS), rtol=6e-4, atol=1e-7)
    assert not np.array_equal(first, minilm.encode(TEXTS))


def test_wrong_arguments(tmp_path):
    with pytest.raises(ModelError, match="cache precision 'int8'"):
        EmbeddingLoader("minilm", cache_dir=tmp_path, cache_precision="int8")


DISTRIBUTED = """
import json, sys
from accelerate import Accelerator
from cube_model import ModelError
from cube_model.vectors.loader import EmbeddingLoader

folder, texts = sys.argv[1], json.loads(sys.argv[2])
accelerator = Accelerator()
rank = accelerator.process_index
encoded, facts = [], {"world": accelerator.num_processes}

def make_loader(name, **settings):
    loader = EmbeddingLoader("minilm", device="cpu", cache_dir=f"{folder}/{name}", **settings)
    encode = loader.teacher.encode
    loader.teacher.encode = lambda texts, **options: (encoded.extend(texts), encode(texts, **options))[1]
    return loader

def pop_encoded():
    texts = list(encoded)
    encoded.clear()
    return texts

shared = make_loader("shared")
facts["vectors"] = shared.embed(texts, accelerator=accelerator).tolist()
facts["encoded"] = pop_encoded()
facts["second"] = shared.embed(texts, accelerator=accelerator).tolist()
facts["encoded the second time"] = pop_encoded()

own = make_loader(f"process-{rank}")  # separate caches: only the first process has two of the texts
if rank == 0:
    own.embed(texts[:2])
pop_encoded()
facts["partly cached"] = own.embed(texts, accelerator=accelerator).tolist()
facts["encoded when partly cached"] = pop_encoded()

try:
    make_loader("mixed", prefix="query: " if rank == 0 else "").embed(texts, accelerator=accelerator)
except ModelError as error:
    facts["error"] = str(error)
with open(f"{folder}/{rank}.json", "w") as file:
    json.dump(facts, file)
accelerator.end_training()
"""


@pytest.mark.slow
def test_two_processes_share_the_encoding(minilm, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "run.py").write_text(DISTRIBUTED)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_addr", "127.0.0.1"]
    command += ["--master_port", str(port), str(tmp_path / "run.py"), str(tmp_path), json.dumps(TEXTS)]
    env = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    env["PYTHONPATH"] = str(Path(__file__).parents[3])
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert (one["world"], two["world"]) == (2, 2)
    # each process encodes a share, and both get the same embeddings
    assert sorted(one["encoded"] + two["encoded"]) == sorted(set(TEXTS))
    assert len(one["encoded"]) == len(two["encoded"]) == 2
    np.testing.assert_allclose(one["vectors"], minilm.encode(TEXTS), atol=2e-6)
    assert one["vectors"] == two["vectors"] == one["second"] == two["second"]
    assert one["encoded the second time"] == two["encoded the second time"] == []
    # both processes encode what either lacks, so that neither waits forever
    assert one["partly cached"] == two["partly cached"]
    assert sorted(one["encoded when partly cached"] + two["encoded when partly cached"]) == sorted(set(TEXTS))
    # teachers are never mixed
    assert "different teachers" in one["error"]
    assert "different teachers" in two["error"]
