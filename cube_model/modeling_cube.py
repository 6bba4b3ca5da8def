"""The 3D cubic core: a lattice of cells that maps a question's embedding to its answer's.

Uploaded next to the weights: it imports nothing of this project but its configuration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from .configuration_cube import CubeConfig, cubic_lattice


@dataclass
class CubeOutput(ModelOutput):
    """What `CubeModel` gives.

    Args:
        loss: The contrastive loss, when answers were given.
        embeddings: `[batch, embedding_dim]`, the mapped questions; compare by cosine.
        answer_embeddings: `[batch, embedding_dim]`, the mapped answers, when answers were given.
    """

    loss: torch.Tensor | None = None
    embeddings: torch.Tensor | None = None
    answer_embeddings: torch.Tensor | None = None


class CellUnits(nn.Module):
    """Units that a group of cells shares: all cells (global units) or the cells of one plane of the lattice.

    A unit reads the cells of its group, every input channel with weights of its own, and is written back to the same
    cells.

    Args:
        lattice: Sides x, y, z.
        axis: The planes across this axis are the groups; None: one group of all cells.
        units: Units a group.
        channels: Input channels of a cell: its state, then one for each earlier turn.
    """

    def __init__(self, lattice: tuple[int, int, int], axis: int | None, units: int, channels: int) -> None:
        super().__init__()
        self.lattice, self.axis = lattice, axis
        self.groups = 1 if axis is None else lattice[axis]
        self.cells = math.prod(lattice) // self.groups
        self.read = nn.Parameter(torch.empty(channels, self.groups, self.cells, units))
        self.read_bias = nn.Parameter(torch.empty(self.groups, 1, units))
        self.write = nn.Parameter(torch.empty(self.groups, units, self.cells))

    def gather(self, state: torch.Tensor) -> torch.Tensor:
        """`[batch, all cells]` -> `[groups, batch, cells of a group]`."""
        if self.axis is None:
            return state[None]
        return state.view(-1, *self.lattice).movedim(self.axis + 1, 0).reshape(self.groups, -1, self.cells)

    def scatter(self, grouped: torch.Tensor) -> torch.Tensor:
        """The inverse of `gather`."""
        if self.axis is None:
            return grouped[0]
        sides = [side for axis, side in enumerate(self.lattice) if axis != self.axis]
        return grouped.reshape(self.groups, -1, *sides).movedim(0, self.axis + 1).reshape(grouped.shape[1], -1)

    def listen(self, channel: torch.Tensor, index: int) -> torch.Tensor:
        """What the units read of one channel `[batch, all cells]`: `[groups, batch, units]`."""
        return torch.bmm(self.gather(channel), self.read[index])

    def remember(self, turns: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """What the units read of the earlier turns (all but the first of `turns`): `[groups, batch or 1, units]`."""
        memory: torch.Tensor = self.read_bias
        for index in range(1, len(turns)):
            memory = memory + self.listen(turns[index], index)
        return memory

    def forward(self, state: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """What the units write to the cells, `[batch, all cells]`, given state and what they read of earlier turns."""
        active = functional.gelu(self.listen(state, 0) + memory)
        return self.scatter(torch.bmm(active, self.write))


class CellRule(nn.Module):
    """What a cell does with its own channels: a small network, the same in every cell and step.

    It is where a cell weighs its state against the same place in earlier turns, at the cost of a few dozen parameters.

    Args:
        channels: Input channels of a cell.
        hidden: Hidden channels.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.read = nn.Parameter(torch.empty(channels, hidden))
        self.read_bias = nn.Parameter(torch.empty(hidden))
        self.write = nn.Parameter(torch.empty(hidden))

    def forward(self, state: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        """Change of the state `[batch, cells]`, given `memory` `[batch, cells, hidden]` of the earlier turns."""
        return functional.gelu(state[..., None] * self.read[0] + memory) @ self.write

    def remember(self, earlier: torch.Tensor) -> torch.Tensor:
        """What the rule reads of the earlier turns `[batch, turns, cells]`: `[batch, cells, hidden]`."""
        return earlier.transpose(1, 2) @ self.read[1:] + self.read_bias


class CubeCore(nn.Module):
    """The recurrent lattice of one side (questions or answers).

    Each step, the same in every cell: state += bias + cell rule of my channels + what the units of my three planes
    and the global units write to me. Units and rule see the state through the weights they use for the question
    itself, so steps cost no further parameters. All that writes starts at zero: an untrained core adds exactly
    nothing.

    Args:
        config: Shape.
        channels: Input channels of a cell: 1 + earlier turns.
    """

    def __init__(self, config: CubeConfig, channels: int) -> None:
        super().__init__()
        x, y, z = config.lattice_size or cubic_lattice(config.embedding_dim)
        groups = [(None, config.global_units)] + [(axis, config.plane_units) for axis in range(3)]
        self.steps = config.steps
        self.units = nn.ModuleList(CellUnits((x, y, z), axis, units, channels) for axis, units in groups if units > 0)
        # without earlier turns a cell has one channel: nothing to weigh
        self.rule = CellRule(channels, config.rule_channels) if config.rule_channels and channels > 1 else None
        self.bias = nn.Parameter(torch.empty(config.embedding_dim))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map `[batch, channels, cells]`, vectors of length 1 or 0, to `[batch, cells]`."""
        # a vector of length 1 has components near 1/sqrt(d): cells compute with values near 1
        scale = math.sqrt(inputs.shape[-1])
        turns = (inputs * scale).unbind(1)
        # what is read of the earlier turns does not change from step to step
        groups = [cast(CellUnits, units) for units in self.units]
        memories = [units.remember(turns) for units in groups]
        if self.rule is not None:
            earlier = self.rule.remember(inputs[:, 1:] * scale)
        residual = torch.zeros_like(turns[0])
        for _ in range(self.steps):
            state = turns[0] + residual
            residual = residual + self.bias
            if self.rule is not None:
                residual = residual + self.rule(state, earlier)
            for units, memory in zip(groups, memories, strict=True):
                residual = residual + units(state, memory)
        return inputs[:, 0] + residual / scale


class CubeModel(PreTrainedModel):
    """Maps a frozen teacher's question embedding to the answer's.

    An untrained core returns the question's embedding bit for bit, so training starts from plain similarity search.

    Example:
        >>> from cube_model import CubeConfig, CubeModel
        >>> model = CubeModel(CubeConfig(embedding_dim=384, context_turns=2)).eval()
        >>> question = torch.nn.functional.normalize(torch.randn(1, 384), dim=-1)
        >>> torch.equal(model(question).embeddings, question)
        True
    """

    config_class = CubeConfig
    base_model_prefix = "cube"
    main_input_name = "question_embeddings"

    def __init__(self, config: CubeConfig) -> None:
        super().__init__(config)
        self.question_core = CubeCore(config, 1 + config.context_turns)
        self.answer_core = CubeCore(config, 1) if config.map_answers else None
        # only the loss uses it; kept with the weights so that training can go on
        self.log_temperature = nn.Parameter(torch.empty(()))
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, CellUnits):
            channels = module.read.shape[0]
            spread = self.config.initializer_range / math.sqrt(module.cells * channels)
            init.normal_(module.read, std=spread)
            init.zeros_(module.read_bias)
            init.zeros_(module.write)
        elif isinstance(module, CellRule):
            init.normal_(module.read, std=self.config.initializer_range / math.sqrt(module.read.shape[0]))
            init.zeros_(module.read_bias)
            init.zeros_(module.write)
        elif isinstance(module, CubeCore):
            init.zeros_(module.bias)
        elif isinstance(module, CubeModel):
            init.constant_(module.log_temperature, math.log(self.config.temperature))

    def encode_questions(self, question_embeddings: torch.Tensor) -> torch.Tensor:
        """Map questions.

        Args:
            question_embeddings: `[batch, embedding_dim]`, or `[batch, turns, embedding_dim]` with the question first
                and then the turns before it, most recent first; a missing turn is a row of zeros, and so are those
                not given.

        Returns:
            `[batch, embedding_dim]`, not normalised.
        """
        given = question_embeddings[:, None] if question_embeddings.dim() == 2 else question_embeddings
        channels = 1 + self.config.context_turns
        if given.dim() != 3 or given.shape[-1] != self.config.embedding_dim or not 1 <= given.shape[1] <= channels:
            raise ValueError(
                f"question_embeddings {list(question_embeddings.shape)}: expected [batch, {self.config.embedding_dim}] "
                f"or [batch, 1 to {channels}, {self.config.embedding_dim}]"
            )
        return self.question_core(functional.pad(given, (0, 0, 0, channels - given.shape[1])))

    def encode_answers(self, answer_embeddings: torch.Tensor) -> torch.Tensor:
        """Map answers `[batch, embedding_dim]`; the same values when the model does not map answers."""
        if self.answer_core is None:
            return answer_embeddings
        return self.answer_core(answer_embeddings[:, None])

    def forward(
        self,
        question_embeddings: torch.Tensor,
        answer_embeddings: torch.Tensor | None = None,
        answer_labels: torch.Tensor | None = None,
        return_dict: bool = True,
    ) -> CubeOutput | tuple[torch.Tensor, ...]:
        """Map a batch; with answers also compute the loss.

        Args:
            question_embeddings: See `encode_questions`.
            answer_embeddings: `[batch, embedding_dim]`; row i answers question i.
            answer_labels: int `[batch]`, equal for equal answers, which are then not negatives of each other.
            return_dict: False gives a tuple without the None entries.
        """
        questions, answers = question_embeddings, answer_embeddings
        if self.training and self.config.noise > 0:
            questions = self._noisy(questions)
            answers = None if answers is None else self._noisy(answers)
        embeddings = self.encode_questions(questions)
        output = CubeOutput(embeddings=embeddings)
        if answers is not None:
            output.answer_embeddings = self.encode_answers(answers)
            output.loss = self._contrastive_loss(embeddings, output.answer_embeddings, answer_labels)
        return output if return_dict else output.to_tuple()

    def _noisy(self, vectors: torch.Tensor) -> torch.Tensor:
        """Gaussian noise of length `config.noise` on average; missing turns get it too."""
        return vectors + self.config.noise / math.sqrt(vectors.shape[-1]) * torch.randn_like(vectors)

    def _contrastive_loss(
        self, questions: torch.Tensor, answers: torch.Tensor, labels: torch.Tensor | None
    ) -> torch.Tensor:
        """Cross-entropy of the true answer among those of the batch, on cosine times a learned temperature.

        Computed in float32 whatever the weights are. An answer equal to the true one is no wrong answer: it is left
        out.
        """
        with torch.autocast(questions.device.type, enabled=False):
            scores = functional.normalize(questions.float(), dim=-1) @ functional.normalize(answers.float(), dim=-1).T
        # at most 100, as in CLIP (arXiv:2103.00020): beyond it training becomes unstable
        scores = scores * self.log_temperature.float().clamp(max=math.log(100)).exp()
        rows = torch.arange(len(scores), device=scores.device)
        if labels is not None:
            equal = labels[:, None] == labels[None, :]
            equal = equal & (rows[:, None] != rows[None, :])
            scores = scores.masked_fill(equal, float("-inf"))
        return functional.cross_entropy(scores, rows)


# `save_pretrained` then copies these two files beside the weights, for `trust_remote_code=True` without this package
CubeConfig.register_for_auto_class()
CubeModel.register_for_auto_class("AutoModel")
