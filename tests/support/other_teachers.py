"""A tiny causal teacher, and a core with random changes, for tests of embeddings."""

from pathlib import Path
from typing import Any

import torch

from cube_model import CubeConfig, CubeModel, Teacher


def perturbed_core(teacher: Teacher, **options: Any) -> CubeModel:
    """A core whose maps of questions and answers differ from the identity and from each other."""
    torch.manual_seed(0)
    core = CubeModel(CubeConfig(embedding_dim=teacher.dimension, teacher=teacher.describe(), **options)).eval()
    for weight in core.parameters():
        weight.data.add_(0.05 * torch.randn_like(weight))
    return core


def tiny_gpt2(folder: Path, seed: int = 0) -> Path:
    """A causal model without a padding token, with a tokenizer that pads on the left."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={"<end>": 0, **{c: i for i, c in enumerate(letters, 1)}}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", padding_side="left").save_pretrained(folder)
    torch.manual_seed(seed)
    GPT2Model(GPT2Config(vocab_size=257, n_embd=48, n_layer=2, n_head=2, n_positions=64)).save_pretrained(folder)
    return folder
