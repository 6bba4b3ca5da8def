"""A tiny DistilBERT with random weights, as a teacher for tests."""

from pathlib import Path

LETTERS = [chr(code) for code in [*range(33, 127), *range(ord("а"), ord("я") + 1), ord("ё")]]


def save_tiny_distilbert(folder: Path, dimension: int = 768) -> Path:
    """Save the model, with a vocabulary of Latin and Cyrillic letters.

    Args:
        folder: Folder to create.
        dimension: Dimension of the embeddings; by default that of the real model.
    """
    import torch
    from transformers import BertTokenizer, DistilBertConfig, DistilBertModel

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    BertTokenizer(vocab={word: number for number, word in enumerate(words)}).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"dim": dimension, "n_layers": 1, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 128}
    DistilBertModel(DistilBertConfig(vocab_size=len(words), **shape)).save_pretrained(folder)
    return folder
