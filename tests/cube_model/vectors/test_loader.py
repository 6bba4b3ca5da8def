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

    assert inspect.signature(EmbeddingLoader).parameters["teacher_model"].default == DEFAULT_TEACHER
    wanted = "distilbert bert roberta gpt2 llama2 llama3 mistral mpnet minilm multilingual-e5"
    assert set(wanted.split()) <= set(KNOWN_TEACHERS)


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


def test_a_stand_in_has_vectors_of_its_own(minilm, tmp_path, monkeypatch):
    """The cache is keyed by the teacher that computed, not by the one that was wanted."""
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


def test_half_precision_is_the_same_the_first_and_the_second_time(minilm, tmp_path):
    loader = EmbeddingLoader("minilm", device="cpu", cache_dir=tmp_path, cache_precision="float16")
    first, second = loader.embed(TEXTS), loader.embed(TEXTS)
    assert first.dtype == second.dtype == np.float32
    assert np.array_equal(first, second)
    np.testing.assert_allclose(first, minilm.encode(TEXTS), rtol=6e-4, atol=1e-7)
    assert not np.array_equal(first, minilm.encode(TEXTS))


def test_wrong_arguments(tmp_path):
    with pytest.raises(ModelError, match="cache precision 'int8'"):
        EmbeddingLoader("minilm", cache_dir=tmp_path, cache_precision="int8")


TOGETHER = """
import json, sys
from accelerate import Accelerator
from cube_model import ModelError
from cube_model.vectors.loader import EmbeddingLoader

folder, texts = sys.argv[1], json.loads(sys.argv[2])
accelerator = Accelerator()
rank = accelerator.process_index
encoded, facts = [], {"world": accelerator.num_processes}

def loader(name, **settings):
    made = EmbeddingLoader("minilm", device="cpu", cache_dir=f"{folder}/{name}", **settings)
    encode = made.teacher.encode
    made.teacher.encode = lambda texts, **more: (encoded.extend(texts), encode(texts, **more))[1]
    return made

def asked():
    done = list(encoded)
    encoded.clear()
    return done

shared = loader("shared")
facts["vectors"] = shared.embed(texts, accelerator=accelerator).tolist()
facts["encoded"] = asked()
facts["second"] = shared.embed(texts, accelerator=accelerator).tolist()
facts["encoded the second time"] = asked()

own = loader(f"of-{rank}")  # the first process has two texts that the other does not see
if rank == 0:
    own.embed(texts[:2])
asked()
facts["after one had some"] = own.embed(texts, accelerator=accelerator).tolist()
facts["encoded after one had some"] = asked()

try:
    loader("mixed", prefix="query: " if rank == 0 else "").embed(texts, accelerator=accelerator)
except ModelError as error:
    facts["told"] = str(error)
with open(f"{folder}/{rank}.json", "w") as file:
    json.dump(facts, file)
accelerator.end_training()
"""


@pytest.mark.slow
def test_two_processes_encode_together(minilm, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "run.py").write_text(TOGETHER)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_addr", "127.0.0.1"]
    command += ["--master_port", str(port), str(tmp_path / "run.py"), str(tmp_path), json.dumps(TEXTS)]
    env = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    env["PYTHONPATH"] = str(Path(__file__).parents[3])
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    one, two = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1))
    assert (one["world"], two["world"]) == (2, 2)
    # each its share, all the same
    assert sorted(one["encoded"] + two["encoded"]) == sorted(set(TEXTS))
    assert len(one["encoded"]) == len(two["encoded"]) == 2
    np.testing.assert_allclose(one["vectors"], minilm.encode(TEXTS), atol=2e-6)
    assert one["vectors"] == two["vectors"] == one["second"] == two["second"]
    assert one["encoded the second time"] == two["encoded the second time"] == []
    # what one process lacks, all encode: nobody waits for ever, all the same again
    assert one["after one had some"] == two["after one had some"]
    assert sorted(one["encoded after one had some"] + two["encoded after one had some"]) == sorted(set(TEXTS))
    # two teachers are never mixed
    assert "different teachers" in one["told"]
    assert "different teachers" in two["told"]
