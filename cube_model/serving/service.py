"""Computing of replies, intents and embeddings, in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cube_model.serving.backend import Answers, Embeds
from cube_model.serving.batching import Batcher
from cube_model.serving.metrics import Metrics

if TYPE_CHECKING:
    import numpy as np

    from cube_model.serving.config import ServeConfig


@dataclass(frozen=True)
class Question:
    """A question to an assistant.

    Attributes:
        text: The user's turn.
        context: Turns before it, oldest first.
        where: Values that the metadata of answers must have.
        k: Number of answers.
    """

    text: str
    context: tuple[str, ...] = ()
    where: Mapping[str, str | Sequence[str]] | None = field(default=None)
    k: int = 5


class Service:
    """A backend whose requests are computed together.

    Args:
        backend: An assistant, or an encoder alone.
        config: Limits.
    """

    def __init__(self, backend: Embeds, config: ServeConfig) -> None:
        self.config = config
        self._backend = backend
        self.answers = backend if isinstance(backend, Answers) else None
        self.encoder = str(backend.info["encoder"]["name"])
        computes = {"embed": backend.embed}
        answers = self.answers
        if answers is not None:
            computes |= {"reply": answers.reply_many, "intent": answers.intent_many}
        # the first call takes longest, and shows whether the encoder works
        self.dimension = int(backend.embed(["warm-up"]).shape[1])
        self._batcher = Batcher(
            computes,
            max_batch=config.max_batch,
            max_wait=config.max_wait_ms / 1000,
            queue=config.queue,
            observe=lambda texts, seconds: self.metrics.batch(texts, seconds),
        )
        version = None if answers is None else (lambda: float(answers.version))
        self.metrics = Metrics(lambda: self._batcher.waiting, version)

    @property
    def is_alive(self) -> bool:
        """Whether requests are still computed."""
        return self._batcher.is_alive

    async def reply(self, question: Question) -> Any:
        """The reply to a question; see `Batcher.compute` for the errors."""
        reply = (await self._batcher.compute("reply", [question], self.config.timeout))[0]
        self.metrics.reply(reply.is_known)
        return reply

    async def intent(self, text: str) -> Any:
        """The intent of a text; see `Batcher.compute` for the errors."""
        return (await self._batcher.compute("intent", [text], self.config.timeout))[0]

    async def embed(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Embeddings of texts, each float32 `[dimension]`; see `Batcher.compute` for the errors."""
        return await self._batcher.compute("embed", texts, self.config.timeout)

    def close(self) -> None:
        """Answer what waits, then stop."""
        self._batcher.close()
