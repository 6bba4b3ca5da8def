"""Everything that a training run depends on, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from cube_model.data.stream_options import check_streaming, shuffle_buffer_option, streaming_option
from cube_model.errors import ModelError
from cube_model.teacher.find import DEFAULT_TEACHER
from cube_model.vectors.option import vectors_option
from dataset_builders.common.options import Options, option

Device = Literal["auto", "cpu", "cuda", "mps", "xpu", "npu", "hpu"]
Validation = Literal["auto", "split", "k-fold"]
Tracker = Literal[
    "none", "tensorboard", "trackio", "wandb", "mlflow", "comet_ml", "clearml", "dvclive", "aim", "swanlab", "all"
]


@dataclass
class TrainingConfig(Options, error=ModelError):
    """A training run. Where a field of the core's shape is None, the default of `CubeConfig` holds.

    Raises:
        ModelError: A value is not allowed; the message names it.

    Example:
        >>> config = TrainingConfig(data="dataset", teacher="minilm", output="core", context_turns=2)
        >>> config.result_options()["seed"]
        0
    """

    data: str | None = option(
        None,
        "Folder made by `dialogue-cube build`, or Hub dataset repository.",
        none="the dataset that `CubeTrainer.train` gets",
    )
    output: str | None = option(
        None, "Output folder, which appears complete, at the end.", none="nothing is written", in_result=False
    )
    mode: Literal["dialogue", "autoencoder"] = option(
        "dialogue", "Whether the core maps questions to answers, or embeddings through a short code and back."
    )
    teacher: str = option(DEFAULT_TEACHER, "Frozen text encoder: short name, folder or Hub repository.")
    vectors: str | None = vectors_option()
    streaming: bool = streaming_option()
    shuffle_buffer: int | None = shuffle_buffer_option()
    sources: list[str] | None = option(None, "Sources to train on.", none="all")
    max_pairs: int | None = option(None, "Maximum number of training pairs, a seeded choice.", low=2)
    max_validation_pairs: int = option(10_000, "Maximum number of validation pairs.", low=1)
    validation: Validation = option(
        "auto",
        "What selects the epochs: the validation pairs (split), or cross-validation over them and the training pairs "
        "together (k-fold); auto: k-fold where the validation pairs are too few to judge, of at most 2,000 pairs.",
    )
    context_turns: int | None = option(
        None,
        "Number of earlier turns that the core reads besides the question.",
        low=0,
        none="0 with `data`, else as many as the dataset holds",
    )
    hard_negatives: int = option(0, "Maximum number of mined negatives used for each pair.", low=0)
    epochs: int | None = option(
        None,
        "Passes over the training pairs; the best one by validation is kept.",
        low=1,
        none="12, more where that is under 200 optimizer steps",
    )
    patience: int | None = option(
        None, "Epochs without a better one after which training stops.", low=1, none="a quarter of the epochs"
    )
    batch_size: int | None = option(
        None,
        "Pairs per batch and process; the answers of all processes' batches are each other's negatives.",
        low=2,
        none="512, fewer where there are few pairs",
    )
    gradient_accumulation: int = option(
        1,
        "Batches per optimizer step; adds up gradients, not negatives: for more of those raise the batch size.",
        low=1,
    )
    learning_rate: float | None = option(
        None,
        "Highest learning rate of the schedule, which begins with 5 % warm-up.",
        above=0,
        none="0.005, or 0.001 with fewer than 10,000 pairs",
    )
    scheduler: Literal["cosine", "linear", "constant_with_warmup"] = option(
        "cosine", "Learning rate schedule; cosine and linear end at zero."
    )
    weight_decay: float = option(0.01, "Weight decay of AdamW, on matrices only.", low=0)
    mixed_precision: Literal["no", "bf16"] | None = option(
        None, "Mixed precision.", none="that of `accelerate launch`, else no"
    )
    cosine_weight: float = option(
        0.0,
        "Share of the loss that is 1 - cosine to the teacher's embedding of the answer; the rest is contrastive.",
        low=0,
        high=1,
    )
    temperature: float = option(
        20.0, "Factor on the cosine in the contrastive loss before training, which learns it.", above=0
    )
    label_smoothing: float = option(
        0.0,
        "Share of the target of the contrastive loss that all answers of a batch have in common.",
        low=0,
        below=1,
    )
    noise: float | None = option(
        None,
        "Expected norm of the Gaussian noise that training adds to embeddings of norm 1.",
        low=0,
        none="0.3, for an autoencoder 0",
    )
    seed: int = option(0, "Seed of initialisation, order, noise and choices.", low=0)
    embedding_dim: int | None = option(None, "Dimension of the embeddings.", low=1, none="the teacher's")
    lattice_size: list[int] | None = option(
        None,
        "Sides of the lattice, whose product is the dimension: 8,8,12.",
        low=1,
        none="as close to a cube as possible",
    )
    cell_channels: int | None = option(
        None, "Hidden channels of the rule that compares a cell's state with the context; 0: no rule.", low=0
    )
    steps: int | None = option(None, "Number of recurrent steps.", low=1)
    global_units: int | None = option(None, "Number of units connected to every cell.", low=0)
    plane_units: int | None = option(None, "Number of units of each plane of the lattice.", low=0)
    map_answers: bool | None = option(
        None, "Map answers too, with write weights of their own.", flags=("--map-answers/--keep-answers",)
    )
    code_size: int | None = option(
        None, "Dimension of the autoencoder's code.", low=1, none="an eighth of the embeddings' dimension"
    )
    teacher_dtype: Literal["auto", "float32", "bfloat16"] = option(
        "auto", "Precision of the teacher; auto: bfloat16 where the hardware computes in it natively."
    )
    tracker: Tracker = option("none", "Experiment tracker.", in_result=False)
    checkpoint_every: int = option(
        0, "Optimizer steps between checkpoints; 0: one checkpoint per epoch.", low=0, in_result=False
    )
    resume: bool = option(
        False, "Resume an interrupted run with the same arguments from its last checkpoint.", in_result=False
    )
    overwrite: bool = option(
        False, "Replace an earlier core; without resume, also discard an interrupted run.", in_result=False
    )
    device: Device = option(
        "auto", "Kind of device that must be there; auto: a graphics card where there is one.", in_result=False
    )
    threads: int = option(
        0, "Processor threads of each process; 0: all cores, shared evenly by the processes.", low=0, in_result=False
    )
    progress: bool = option(True, "Show progress bars; --quiet hides them.", flags=(" /--quiet",), in_result=False)
    cache_dir: str | None = option(
        None,
        "Folder of the embedding cache.",
        none="`DIALOGUE_CUBE_CACHE`, else ~/.cache/dialogue-cube",
        in_result=False,
    )

    def __post_init__(self) -> None:
        if self.mode == "generator":
            raise ModelError(
                'mode "generator" is a way to use a trained core: train mode "dialogue", then '
                'EmbeddingProcessor(model, mode="generator")'
            )
        super().__post_init__()
        if self.noise is None:
            self.noise = 0.0 if self.mode == "autoencoder" else 0.3
        if self.cosine_weight == 1 and self.map_answers:
            raise ModelError(
                "cosine_weight is 1, so nothing trains the answer side; lower it or set map_answers to False "
                "(--keep-answers)"
            )
        needs_all = {
            "mode": self.mode == "autoencoder" and self.mode,
            "validation": self.validation == "k-fold" and self.validation,
            "max_pairs": self.max_pairs,
        }
        check_streaming(self.streaming, self.shuffle_buffer, needs_all)
        if self.output is None and (self.resume or self.overwrite):
            raise ModelError("resume and overwrite need an output folder")

    def core(self) -> dict[str, Any]:
        """The arguments of `CubeConfig` that this run sets, except the dimension and the number of earlier turns."""
        names = ("lattice_size", "cell_channels", "steps", "global_units", "plane_units", "map_answers", "code_size")
        shape = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if self.cosine_weight == 1:
            shape["map_answers"] = False
        return {"mode": self.mode, **shape}
