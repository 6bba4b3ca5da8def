"""The command `dialogue-cube serve`; imports heavy modules only when it runs."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import typer

from cube_model.errors import ModelError
from cube_model.serving.config import ServeConfig, read_token
from dataset_builders.common.command_options import takes_options
from dataset_builders.common.own_names import own_names

if TYPE_CHECKING:
    from cube_model.assistant.assistant import DialogueAssistant
    from cube_model.serving.encoder import ServedEncoder


@takes_options()
def serve(config: ServeConfig) -> None:
    """Serve an assistant over HTTP: replies, intents, embeddings.

    Paths: /reply, /intent, /embed, the same embeddings in OpenAI's shape at /v1/embeddings, /health, /metrics
    (Prometheus), /docs and /openapi.json. With --encoder alone, only the embeddings. Requests that wait are computed
    together. Texts of users are neither logged nor counted.
    """
    missing = [name for name in ("fastapi", "uvicorn", "prometheus_client") if find_spec(name) is None]
    if missing:
        raise ModelError(f"serve needs {', '.join(missing)}; run: pip install 'dialogue-cube[serve]'")
    token = read_token(config)
    if config.unanswered is not None and not config.unanswered.absolute().parent.is_dir():
        raise ModelError(f"--unanswered {config.unanswered}: its folder does not exist; create it first")
    from cube_model.serving.server import address_of, listen, run, show_log

    opened = listen(config.host, config.port)
    with opened:
        backend = _open(config)
        from cube_model.serving.app import make_app
        from cube_model.serving.service import Service

        service = Service(backend, config)
        app = make_app(service, own_names(config.host, config.names or ()), token)
        show_log()
        what = config.assistant or service.encoder
        typer.echo(f"{what} is served at {address_of(opened)} (see /docs there; stop with Ctrl-C)")
        run(app, opened, config.timeout)


def _open(config: ServeConfig) -> DialogueAssistant | ServedEncoder:
    if config.assistant is not None:
        from cube_model.assistant.assistant import DialogueAssistant

        return DialogueAssistant.from_pretrained(
            config.assistant,
            revision=config.revision,
            device=config.device,
            unanswered=config.unanswered,
            dtype=config.dtype,
        )
    from cube_model.serving.encoder import ServedEncoder
    from cube_model.teacher.teacher import Teacher

    assert config.encoder is not None
    return ServedEncoder(Teacher.load(config.encoder, config.dtype, config.device, revision=config.revision))
