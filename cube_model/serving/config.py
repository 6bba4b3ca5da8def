"""Configuration of a server."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from cube_model.errors import ModelError
from cube_model.vectors.option import EncoderDtype
from dataset_builders.common.options import Options, option
from dataset_builders.common.own_names import is_public
from dataset_builders.common.reading import regular

TOKEN_VARIABLE = "DIALOGUE_CUBE_TOKEN"  # noqa: S105 - the name of a variable
"""Environment variable with the token."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,512}")
"""A bearer token (RFC 6750, section 2.1) that cannot be guessed in a lifetime."""


@dataclass(frozen=True)
class ServeConfig(Options, error=ModelError):
    """A server: what it answers with, where it listens, and how much it takes on."""

    assistant: str | None = option(
        None, "Assistant: folder or Hub repository.", none="no answers and intents, only the embeddings of --encoder"
    )
    encoder: str | None = option(
        None,
        "Encoder to serve without an assistant: short name, folder or Hub repository.",
        none="that of the assistant",
    )
    revision: str | None = option(None, "Branch, tag or commit of the Hub repository.", none="main")
    device: str | None = option(None, "Torch device.", none="the first accelerator, otherwise the processor")
    dtype: EncoderDtype = option(
        "auto",
        "Precision of the encoder; auto: bfloat16 where the hardware computes in it natively, in half the time, with "
        "vectors that differ in the third digit.",
    )
    host: str = option("127.0.0.1", "Address to listen on; another one than that of this machine needs a token.")
    port: int = option(8000, "Port to listen on; 0: any free one.", low=0, high=65535)
    names: list[str] | None = option(
        None,
        "Further name by which clients call the server, such as that of a proxy; repeatable.",
        none="only its own",
        repeatable=True,
        flags=("--name",),
    )
    token_file: Path | None = option(
        None,
        "File with the token that clients have to send as `Authorization: Bearer TOKEN`.",
        none=f"the environment variable {TOKEN_VARIABLE}; without both, everybody on this machine may ask",
    )
    max_batch: int = option(32, "Maximum number of texts encoded together.", low=1, high=4096)
    max_wait_ms: float = option(
        0, "Time that a text waits for others to be encoded with it, in milliseconds.", low=0, high=1000
    )
    queue: int = option(
        256,
        "Maximum number of texts that wait; a request beyond gets 429, as does one that would wait half the timeout.",
        low=1,
    )
    timeout: float = option(10, "Time in which a request is answered, in seconds; later it gets 504.", above=0)
    max_bytes: int = option(2**20, "Maximum size of a request, in bytes.", low=1024)
    max_texts: int = option(128, "Maximum number of texts of a request.", low=1)
    max_chars: int = option(10_000, "Maximum length of a text, in characters.", low=1, high=20_000)
    unanswered: Path | None = option(
        None,
        "File to which questions without an answer are appended, for `assistant review`: their texts are kept there.",
        none="no text of a user is kept",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.assistant is None) == (self.encoder is None):
            raise ModelError("serve: pass either --assistant (replies, intents, embeddings) or --encoder (embeddings)")
        if self.max_texts > self.queue:
            raise ModelError(
                f"max_texts {self.max_texts}: the queue holds {self.queue} texts, so such a request could never be "
                "accepted; raise --queue or lower --max-texts"
            )
        if self.unanswered is not None and self.assistant is None:
            raise ModelError("unanswered: only an assistant has questions without an answer; leave it out")


def read_token(config: ServeConfig) -> str | None:
    """Read the token from its file or the environment.

    Args:
        config: Configuration of the server.

    Returns:
        The token; None if the server listens on this machine only and there is none.

    Raises:
        ModelError: The file cannot be read, the token is too short or has other characters than letters, digits and
            `._~+/=-`, or the server would listen to the network without one.
    """
    if config.token_file is not None:
        place = str(config.token_file)
        try:
            token = regular(config.token_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ModelError(f"--token-file {place}: cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise ModelError(f"--token-file {place}: not a text; make one: openssl rand -hex 32 > FILE") from error
    else:
        place, token = TOKEN_VARIABLE, os.environ.get(TOKEN_VARIABLE, "").strip()
        if not token:
            if is_public(config.host):
                raise ModelError(
                    f"--host {config.host}: the network may ask, so clients need a token: pass --token-file FILE "
                    f"(openssl rand -hex 32 > FILE) or set {TOKEN_VARIABLE}"
                )
            return None
    if not _TOKEN.fullmatch(token):
        raise ModelError(
            f"{place}: expected a token of 16 to 512 letters, digits and ._~+/=-; make one: openssl rand -hex 32"
        )
    return token
