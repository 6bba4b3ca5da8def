"""Computing of replies, intents and embeddings, in batches."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cube_model.assistant.assistant import DialogueAssistant, Reply, Request
from cube_model.errors import ModelError
from cube_model.serving.batching import Batcher, Compute
from cube_model.serving.errors import RefusalError
from cube_model.serving.metrics import Metrics

if TYPE_CHECKING:
    import numpy as np

    from cube_model.intents.head import Intent
    from cube_model.serving.config import ServeConfig
    from cube_model.serving.encoder import ServedEncoder

log = logging.getLogger(__name__)


class Service:
    """An assistant, or an encoder alone, whose requests are computed together.

    Args:
        backend: What answers.
        config: Limits.

    Attributes:
        encoder: Name of the encoder.
        dimension: Dimension of its embeddings.
        has_answers: Whether there are replies.
        has_intents: Whether there are intents.
    """

    def __init__(self, backend: DialogueAssistant | ServedEncoder, config: ServeConfig) -> None:
        self.config = config
        computes: dict[str, Compute] = {"embed": lambda texts: list(backend.embed(texts))}
        info = backend.info
        self._version = 0
        self._assistant = backend if isinstance(backend, DialogueAssistant) else None
        self.has_answers, self.has_intents = self._assistant is not None, bool(info.get("labels"))
        if self._assistant is not None:
            computes |= {"reply": self._replies, "intent": self._assistant.intent_many}
            self._version = self._assistant.version
        self.encoder = str(info["encoder"]["name"])
        # the first call takes longest, and shows whether the encoder works
        self.dimension = int(backend.embed(["warm-up"]).shape[1])
        self._batcher = Batcher(
            computes,
            max_batch=config.max_batch,
            max_wait=config.max_wait_ms / 1000,
            queue=config.queue,
            observe=lambda texts, seconds: self.metrics.batch(texts, seconds),
        )
        self.metrics = Metrics(
            lambda: self._batcher.waiting, (lambda: self._version) if self._assistant is not None else None
        )

    @property
    def is_alive(self) -> bool:
        """Whether requests are still computed."""
        return self._batcher.is_alive

    async def reply(self, request: Request) -> Reply:
        """The reply to a question.

        Raises:
            RefusalError: No answer has what `where` asks for (404), or see `Batcher.compute`.
        """
        try:
            (reply,) = await self._batcher.compute("reply", [request], self.config.timeout)
        except ModelError as error:
            if request.where:
                raise RefusalError(404, self._without_folder(error)) from error
            raise self._broken(error) from error
        self.metrics.reply(reply.is_known)
        return reply

    async def intent(self, text: str) -> Intent:
        """The intent of a text.

        Raises:
            RefusalError: See `Batcher.compute`.
        """
        try:
            (intent,) = await self._batcher.compute("intent", [text], self.config.timeout)
        except ModelError as error:
            raise self._broken(error) from error
        return intent

    async def embed(self, texts: Sequence[str]) -> list[np.ndarray]:
        """Embeddings of texts, each float32 `[dimension]`.

        Raises:
            RefusalError: See `Batcher.compute`.
        """
        try:
            return await self._batcher.compute("embed", texts, self.config.timeout)
        except ModelError as error:
            raise self._broken(error) from error

    def close(self) -> None:
        """Answer what waits, then stop."""
        self._batcher.close()

    def _replies(self, requests: list[Request]) -> list[Reply]:
        assert self._assistant is not None
        replies = self._assistant.reply_many(requests)
        self._version = replies[-1].version
        return replies

    def _without_folder(self, error: ModelError) -> str:
        """The message without the folder, which is none of a client's business."""
        assert self._assistant is not None
        return str(error).removeprefix(f"{self._assistant.folder}: ")

    @staticmethod
    def _broken(error: ModelError) -> RefusalError:
        """The refusal after an error that is not the client's, such as a damaged file, which only the log names."""
        log.error("%s", error)
        return RefusalError(500, "the assistant cannot answer; the log of the server says why")
