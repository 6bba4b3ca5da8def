"""`pipeline("feature-extraction", CORE, trust_remote_code=True)` of transformers: text in, mapped vector out.

Uploaded with the weights, so it imports nothing from this project except the files uploaded with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from transformers import Pipeline

from .text_cube import TextEncoder

if TYPE_CHECKING:
    from .modeling_cube import CubeModel


class CubeFeatureExtraction(Pipeline):
    """Turn each text, or each list of turns with the question last, into a list of numbers, the vector of norm 1.

    `task="document"` in a call encodes answers; otherwise questions are encoded.

    Args:
        args: As for `Pipeline`.
        teacher: Folder or Hub repository of the core's teacher. Default: the recorded repository and commit.
        kwargs: As for `Pipeline`.
    """

    _load_processor: Any = False
    _load_image_processor: Any = False
    _load_video_processor: Any = False
    _load_feature_extractor: Any = False
    _load_tokenizer: Any = False

    def __init__(self, *args: Any, teacher: str | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.encoder = TextEncoder.of(cast("CubeModel", self.model), teacher).to(self.device)

    def _sanitize_parameters(self, task: str | None = None, **unused: Any) -> tuple[dict[str, Any], ...]:
        side = {"task": task}
        return side, side, {}

    def preprocess(self, input_: Any, **parameters: Any) -> dict[str, Any]:
        """Tokenise one input."""
        turns = getattr(input_, "messages", input_)  # transformers wraps a list of messages
        return dict(self.encoder.preprocess([turns], parameters["task"]))

    def _forward(self, input_tensors: dict[str, Any], **parameters: Any) -> Any:
        return {"vector": self.encoder(input_tensors, parameters["task"])[0]}

    def postprocess(self, model_outputs: Any, **parameters: Any) -> list[float]:
        """Return the vector as a list."""
        return list(model_outputs["vector"].tolist())
