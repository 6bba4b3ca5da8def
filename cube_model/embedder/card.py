"""The model card of a dialogue embedder."""

from __future__ import annotations

import json
from typing import Any


def card(record: dict[str, Any]) -> str:
    """README.md of the output folder, from its `training.json`. Its metadata is JSON, a subset of YAML."""
    data, base, arguments = record["data"], record["base"], record["arguments"]
    metadata: dict[str, Any] = {
        "library_name": "sentence-transformers",
        "pipeline_tag": "sentence-similarity",
        "language": data["languages"],
        "tags": ["sentence-transformers", "feature-extraction", "dialogue", "response-selection"],
    }
    if base["repo"]:
        metadata["base_model"] = base["repo"]
    head = "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in metadata.items())
    turns = arguments["context_turns"]
    context = (
        f"Anchors were the question and up to {turns} earlier turns, most recent first, joined by "
        f"`{record['turn_separator']!r}`: encode questions in the same form."
        if turns
        else "Anchors were single turns, without context."
    )
    extra = " and pairs of utterances of one intent" if arguments["intent_positives"] else ""
    negatives = f", {arguments['hard_negatives']} mined hard negatives a pair" if arguments["hard_negatives"] else ""
    return f"""---
{head}
---

# Dialogue embedder

`{base["name"]}` fine-tuned contrastively: questions lie close to their answers.

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/to/this/folder")
vectors = model.encode(["I need a table for two.", "Which city should I search in?"])
```

## Training

- Data: {data["pairs"]} pairs ({arguments["direction"]}{extra}) of the train split of `{data["name"]}`; corpora:
  {", ".join(data["sources"])}. {data["left_out"]} pairs that also occur in a test split were skipped.
- Licences of the data: {", ".join(data["licenses"])}. Check their terms and those of the base before you
  redistribute the weights.
- Data fingerprint: `{data["fingerprint"]}`
- Base: `{base["name"]}`, revision {base["revision"] or "unknown"}, weights `{base["weights_sha256"]}`
- Loss: multiple negatives ranking{negatives}, batches of {arguments["batch_size"]} pairs per process without repeated
  answers; {record["steps"]} steps, seed {arguments["seed"]}.
- {context}

All arguments, losses and versions: `training.json`. Evaluate with `dialogue-cube evaluate response-selection` and
`dialogue-cube evaluate intents`; this card only states measured figures.
"""
