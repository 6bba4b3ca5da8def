"""Handler of Hugging Face Inference Endpoints: `{"inputs": question}` -> its vector, and the nearest answers.

Uploaded with the weights, so it imports nothing from this project except the files uploaded with it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from transformers.dynamic_module_utils import get_class_from_dynamic_module


class EndpointHandler:
    """Encode questions and answers, and search the answers in `index/` if the repository has some.

    The environment variable `CUBE_TEACHER` names the repository or folder of a teacher that the core does not record.

    Args:
        path: Folder of the repository.

    Raises:
        ValueError: The teacher has no recorded repository or commit, or other weights than in the training.
    """

    def __init__(self, path: str = "") -> None:
        folder = Path(path or ".").absolute()
        encoder: Any = get_class_from_dynamic_module("text_cube.TextEncoder", str(folder))
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.encoder = encoder.from_pretrained(str(folder), os.environ.get("CUBE_TEACHER")).to(device)
        self.answers: list[dict[str, Any]] = []
        if (folder / "index" / "index.json").is_file():
            import pyarrow.parquet as pq
            from safetensors.torch import load_file

            columns = ["text", "source", "license"]
            self.answers = pq.read_table(folder / "index" / "answers.parquet", columns=columns).to_pylist()
            self.vectors = load_file(folder / "index" / "vectors.safetensors")["vectors"]

    def __call__(self, data: dict[str, Any]) -> dict[str, Any]:
        """Answer a request.

        Args:
            data: `inputs`: a text, a conversation (a list of messages with `role` and `content`, the question last),
                or a list of texts and conversations. `parameters`, optional: `task`, `"query"` (default) or
                `"document"`; `k`, the number of answers (default: 5).

        Returns:
            `embeddings`: a vector of norm 1 per input. For questions, with an index, also `answers`: per input the k
            nearest, best first, each with `text`, `score` (cosine), `source` and `license`.

        Raises:
            ValueError: An input or a parameter is invalid.
        """
        inputs, parameters = data.get("inputs", data), data.get("parameters") or {}
        task, k = parameters.get("task", "query"), parameters.get("k", 5)
        if task not in ("query", "document") or not isinstance(k, int) or k < 1:
            raise ValueError(f"task {task!r} and k {k!r}: expected query or document, and a number from 1")
        single = isinstance(inputs, str) or (isinstance(inputs, list) and inputs and isinstance(inputs[0], dict))
        vectors = self.encoder.encode([inputs] if single else inputs, task)
        result: dict[str, Any] = {"embeddings": vectors.tolist()}
        if self.answers and task == "query":
            best = torch.topk(vectors @ self.vectors.T, min(k, len(self.answers)))
            rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
            result["answers"] = [
                [{**self.answers[i], "score": score} for i, score in zip(*row, strict=True)] for row in rows
            ]
        return result
