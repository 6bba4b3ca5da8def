"""Everything that a fine-tuning of a text encoder depends on, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cube_model.data.stream_options import check_streaming, shuffle_buffer_option, streaming_option
from cube_model.embedder.positives.choices import Negatives
from cube_model.errors import ModelError
from cube_model.teacher.find import DEFAULT_TEACHER
from dataset_builders.common.options import Options, option

DIRECTIONS = {
    "user-system": (("user", "system"),),
    "system-user": (("system", "user"),),
    "both": (("user", "system"), ("system", "user")),
}
"""Speakers of anchor and positive; user-system pairs are the question -> answer pairs."""

KINDS = ("same_intent", "same_action", "templates", "translations")
"""Options of the kinds of positives besides the next turn: the maximum number of pairs of each."""

LABELLED = ("same_intent", "same_action")
"""Those of them whose pairs have a label that others may have, too."""

_COMPOSER_STEPS = 2000
"""Steps of a composer alone: on three corpora, twice as many gain a point on one, and nothing on the others."""


@dataclass
class EmbedderConfig(Options, error=ModelError):
    """A fine-tuning of a text encoder on dialogue.

    Raises:
        ModelError: A value is not allowed; the message names it.
    """

    data: str = option(help="Folder made by `dialogue-cube build`, or Hub dataset repository.")
    output: str = option(help="Output folder, which appears complete, at the end.", in_result=False)
    base: str = option(
        DEFAULT_TEACHER, "Text encoder to start from: short name of a teacher, folder or Hub repository."
    )
    revision: str | None = option(None, "Commit, tag or branch of a base on the Hub.")
    static: int = option(
        0,
        "Train a table of token vectors with this many dimensions, distilled from the base, in place of the base: "
        "a hundred times faster, less accurate on intents. It needs a learning rate of about .005.",
        low=0,
    )
    sources: list[str] | None = option(None, "Sources whose dialogues are trained on.", none="all")
    leave_out: list[str] = option(list, "Sources that are not trained on, whatever the kind of their rows.")
    languages: list[str] | None = option(
        None, "BCP 47 tags of the rows; en includes en-US.", none="all", aliases=("--language",)
    )
    decontaminate: list[str] = option(
        list, "JSON or text files of a benchmark, none of whose texts is trained on, in any spelling."
    )
    streaming: bool = streaming_option()
    shuffle_buffer: int | None = shuffle_buffer_option()
    direction: Literal["user-system", "system-user", "both"] = option("user-system", "Speakers of anchor and positive.")
    max_pairs: int | None = option(None, "Maximum number of pairs of a turn and the next, of each direction.", low=0)
    same_intent: int = option(0, "Maximum number of pairs of utterances with the same intent.", low=0)
    same_action: int = option(0, "Maximum number of pairs of turns with the same speaker, acts and slots.", low=0)
    any_speaker: bool = option(
        False,
        "Turns of both speakers have the same action if their acts and slots are the same, as in Dialog2Flow's set.",
    )
    templates: int = option(0, "Maximum number of pairs of a turn and its template: its slots as their names.", low=0)
    translations: int = option(0, "Maximum number of pairs of a sentence in two languages.", low=0)
    temperature: float = option(
        1.0,
        "How equal the shares of sources, intents and actions are where a maximum leaves pairs out: 1 in proportion to "
        "their number of pairs, more for more equal shares.",
        low=1,
    )
    label_temperature: float = option(
        0.0,
        "How much similar intents and actions count as equal, by the base encoder's vectors of their names; 0: not at "
        "all.",
        low=0,
    )
    negatives: Negatives = option(
        "all", "Whose pairs of a turn and the next share a batch: those of all sources, of one, or of one domain of it."
    )
    context_turns: int = option(0, "Maximum number of earlier turns appended to the anchor, most recent first.", low=0)
    vary_context: bool = option(False, "Append a random number of earlier turns, from none to all of these.")
    composer: Literal["none", "cube", "attention", "gru", "mean"] = option(
        "none",
        "What combines the vectors of a question and its earlier turns into one, and is trained with the encoder: the "
        "cubic core, attention or a recurrent network of its size, or the mean. none: the turns are one text.",
    )
    composer_learning_rate: float = option(
        5e-3,
        "Highest learning rate of the composer; after its steps alone, a tenth of it while the encoder is trained.",
        above=0,
    )
    composer_steps: int | None = option(
        None,
        "Number of steps in which the composer is trained alone before both are, on vectors of the encoder as it is.",
        low=0,
        none="2000; 0 with --streaming, which holds no vectors",
    )
    neighbours: int = option(
        1,
        "Maximum number of consecutive pairs of a dialogue that come together in a batch. They share turns, which a "
        "composer encodes once; but their answers are negatives of one dialogue, which are harder.",
        low=1,
    )
    hard_negatives: int = option(
        0, "Mined negatives used for each pair; a pair with fewer gets random answers instead.", low=0
    )
    epochs: int = option(1, "Passes over the pairs.", low=1)
    max_steps: int | None = option(
        None,
        "Maximum number of optimizer steps, whatever the epochs; the schedule ends there. 0: train the composer alone.",
        low=0,
    )
    batch_size: int = option(
        128, "Pairs per batch and process; the answers of all processes' batches are each other's negatives.", low=2
    )
    mini_batch_size: int = option(
        256,
        "Pairs computed at a time; a larger batch is computed in parts, which bounds the memory, leaves the gradients "
        "as they are, and costs a second forward pass.",
        low=1,
    )
    learning_rate: float = option(2e-4, "Highest learning rate of the schedule.", above=0)
    scheduler: Literal["linear", "cosine", "constant_with_warmup"] = option(
        "linear", "Learning rate schedule; linear and cosine end at zero."
    )
    warmup: float = option(0.1, "Share of the steps during which the learning rate rises.", low=0, below=1)
    weight_decay: float = option(0.01, "Weight decay of AdamW.", low=0)
    scale: float = option(20.0, "Factor on the cosine in the loss: 1 / temperature.", above=0)
    label_smoothing: float = option(
        0.0, "Share of the target that all answers of a batch have in common.", low=0, below=1
    )
    matryoshka: list[int] = option(
        list, "Numbers of first dimensions that are trained to serve alone, beside all of them."
    )
    symmetric: bool = option(
        True,
        "Contrast the questions of an answer too, not only the answers of a question.",
        flags=("--symmetric/--one-way",),
    )
    max_length: int | None = option(
        None,
        "Maximum number of tokens that training reads of a text; the saved encoder reads as many as the base.",
        low=4,
        none="99 % of the texts fit, at most 64",
    )
    train_embeddings: bool = option(
        True,
        "Train the token embeddings too: half of the weights of a small encoder.",
        flags=("--train-embeddings/--freeze-embeddings",),
    )
    frozen_layers: int = option(
        0,
        "Number of the lowest layers that stay as they are and need no backward pass; with --freeze-embeddings.",
        low=0,
    )
    dropout: float = option(
        0.0,
        "Share of the activations zeroed in training, in place of the base's own; 0 is fastest, and one or two passes "
        "over different pairs hardly overfit.",
        low=0,
        below=1,
    )
    base_share: float = option(
        0.0,
        "What the weights of the base count in the mean of both that is written: more keeps more of what the base can "
        "do on other data; 0: the trained weights alone.",
        low=0,
        below=1,
    )
    share_of: str | None = option(
        None,
        "Encoder like the base whose weights count as much as base_share in place of the base's: that which the base "
        "itself was trained from.",
        none="the base",
    )
    distill: str | None = option(
        None,
        "Text encoder, such as the base or a larger one, whose similarities of the anchors without earlier turns are "
        "kept: short name of a teacher, folder or Hub repository.",
    )
    distill_weight: float = option(1.0, "What the difference to those similarities counts in the loss.", above=0)
    mixed_precision: Literal["auto", "bf16", "no"] = option(
        "auto", "Mixed precision; auto: bf16 where the hardware computes in it natively."
    )
    seed: int = option(0, "Seed of order, dropout and choices.", low=0)
    checkpoint_every: int = option(200, "Optimizer steps between checkpoints.", low=1, in_result=False)
    resume: bool = option(
        False, "Resume an interrupted run with the same arguments from its last checkpoint.", in_result=False
    )
    overwrite: bool = option(
        False, "Replace an earlier output; without resume, also discard an interrupted run.", in_result=False
    )
    device: Literal["auto", "cpu"] = option(
        "auto", "Device; auto: a graphics card where there is one.", in_result=False
    )
    threads: int = option(
        0, "Processor threads of each process; 0: all cores, shared evenly by the processes.", low=0, in_result=False
    )
    progress: bool = option(True, "Show a progress bar; --quiet hides it.", flags=(" /--quiet",), in_result=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        needs_all = {
            "direction": self.direction == "both" and self.direction,
            "max_pairs": self.max_pairs is not None and self.max_pairs,
            "hard_negatives": self.hard_negatives,
            "neighbours": self.neighbours > 1 and self.neighbours,
            "negatives": self.negatives != "all" and self.negatives,
            "composer_steps": self.composer_steps,
            **{
                name: getattr(self, name)
                for name in ("vary_context", "decontaminate", "languages", "leave_out", "distill", *KINDS)
            },
        }
        check_streaming(self.streaming, self.shuffle_buffer, needs_all)
        if self.max_pairs == 0 and not any(getattr(self, kind) for kind in KINDS):
            raise ModelError(f"max_pairs is 0: set one of {', '.join(KINDS)}, or raise it")
        if self.hard_negatives and any(getattr(self, kind) for kind in KINDS):
            raise ModelError("hard_negatives are mined for pairs of a turn and the next: leave out one of both")
        if self.share_of and not self.base_share:
            raise ModelError("share_of counts nothing: set base_share, too, or leave it out")
        if self.any_speaker and not self.same_action:
            raise ModelError("any_speaker is about turns with the same action: set same_action too, or leave it out")
        if self.vary_context and not self.context_turns:
            raise ModelError("vary_context needs earlier turns: set context_turns too, or leave it out")
        whole = {name: getattr(self, name) for name in ("label_smoothing", "matryoshka", "distill", *LABELLED)}
        if self.mini_batch_size < self.batch_size and any(whole.values()):
            raise ModelError(
                f"mini_batch_size {self.mini_batch_size} computes a batch in parts, which {', '.join(whole)} cannot: "
                "raise it to batch_size, or leave them out"
            )
        if self.composer != "none":
            if self.base_share:
                raise ModelError("base_share is for encoders without a composer, which is not in the base")
            if self.static:
                raise ModelError(f"composer {self.composer} needs a transformer: leave out static, or the composer")
            if not self.context_turns:
                raise ModelError(f"composer {self.composer} has no turns to compose: set --context-turns")
            if self.mini_batch_size < self.batch_size:
                raise ModelError(
                    f"mini_batch_size is {self.mini_batch_size}: with a composer, expected at least batch_size = "
                    f"{self.batch_size}"
                )
        if self.composer_steps and self.composer in ("none", "mean"):
            raise ModelError(f"composer {self.composer} has no weights: leave out composer_steps, or choose another")
        if self.max_steps == 0 and not self.steps_of_composer:
            raise ModelError("max_steps is 0: nothing is trained; raise it, or choose a --composer with weights")
        if self.frozen_layers and self.train_embeddings:
            raise ModelError("frozen_layers spares the backward pass only with --freeze-embeddings: set it, too")

    @property
    def has_labels(self) -> bool:
        """Whether some pairs share a label that others may have, too."""
        return any(getattr(self, kind) for kind in LABELLED)

    @property
    def steps_of_composer(self) -> int:
        """Number of steps in which the composer is trained alone."""
        if self.composer_steps is None:
            return 0 if self.streaming or self.composer in ("none", "mean") else _COMPOSER_STEPS
        return self.composer_steps
