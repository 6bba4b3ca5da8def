"""The 3D cubic core: a lattice of cells that maps a question's embedding to its answer's.

Uploaded next to the weights: it imports nothing of this project but its configuration.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

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
        embeddings: `[batch, embedding_dim]`, the mapped questions (compare by cosine), or the restored vectors of an
            autoencoder.
        answer_embeddings: `[batch, embedding_dim]`, the mapped answers, when answers were given.
        code: `[batch, code_size]`, of an autoencoder.
        cell_states: `[batch, steps + 1, x, y, z]` with `output_lattice=True`: the state of every cell before the first
            step and after each; the last one is `embeddings`.
    """

    embeddings: torch.Tensor | None = None
    answer_embeddings: torch.Tensor | None = None
    code: torch.Tensor | None = None
    cell_states: torch.Tensor | None = None


_COLUMNS = 16384
"""Cells x batch that the cell rule is computed for at a time: few enough for a processor's cache."""

QUESTION, ANSWER = 0, 1
"""Roles: what the lattice maps. An autoencoder encodes as the first and decodes as the second."""


class CellUnits(nn.Module):
    """Units that a group of cells shares: all cells (global units) or the cells of one plane of the lattice.

    A unit reads the cells of its group and is written back to the same cells. It reads question, earlier turns and
    answer with the same weights and one gate for each of them, as they are vectors of one teacher; what it writes
    depends on the role.

    Args:
        lattice: Sides x, y, z.
        axis: The planes across this axis are the groups; None: one group of all cells.
        units: Units a group.
        voices: Kinds of vectors that it reads: question, each earlier turn, answer.
        roles: 2 with an answer side (or a decoder), else 1.
    """

    def __init__(self, lattice: tuple[int, int, int], axis: int | None, units: int, voices: int, roles: int) -> None:
        super().__init__()
        self.lattice, self.axis = lattice, axis
        self.groups = 1 if axis is None else lattice[axis]
        self.cells = math.prod(lattice) // self.groups
        self.read = nn.Parameter(torch.empty(self.groups, self.cells, units))
        self.gate = nn.Parameter(torch.empty(voices, self.groups, 1, units))
        self.read_bias = nn.Parameter(torch.empty(roles, self.groups, units, 1))
        self.write = nn.Parameter(torch.empty(roles, self.groups, units, self.cells))

    def gather(self, state: torch.Tensor) -> torch.Tensor:
        """`[turns, all cells, batch]` -> `[groups, turns x cells of a group, batch]`."""
        turns, cells, batch = state.shape
        if self.axis is None:
            return state.reshape(1, turns * cells, batch)
        return state.view(turns, *self.lattice, batch).movedim(self.axis + 1, 0).reshape(self.groups, -1, batch)

    def scatter(self, grouped: torch.Tensor) -> torch.Tensor:
        """Planes `[groups, cells of a group, batch]` -> `[x, y, z, batch]`, a view."""
        sides = [side for axis, side in enumerate(self.lattice) if axis != self.axis]
        return grouped.view(self.groups, *sides, -1).movedim(0, self.axis or 0)

    def listen(self, turns: torch.Tensor, voice: int) -> torch.Tensor:
        """What the units read of `[turns, all cells, batch]`: `[groups, units, batch]`; `voice`: of the first turn."""
        return torch.bmm(self._gated(len(turns), voice), self.gather(turns))

    def hear(self, turns: torch.Tensor, voice: int, role: int) -> torch.Tensor:
        """`listen`, and the bias."""
        heard = self.read_bias[role]
        # cells of one plane lie together within a turn, but not the turns: one by one, most of them need no copy, which
        # pays for the batches of a training
        one_by_one = self.training and self.axis is not None
        for first, part in enumerate(turns.split(1) if one_by_one else [turns], start=voice):
            heard = torch.baddbmm(heard, self._gated(len(part), first), self.gather(part))
        return heard

    def _gated(self, turns: int, voice: int) -> torch.Tensor:
        # the gates go to the weights: they are far fewer than what a batch makes of them
        gated = self.read[:, None] * self.gate[voice : voice + turns].movedim(0, 1)
        return gated.flatten(1, 2).transpose(1, 2)

    def forward(self, added: torch.Tensor, heard: torch.Tensor, role: int) -> torch.Tensor:
        """`added` `[all cells, batch]` and what the units write to the cells, given what they heard."""
        active, write = functional.gelu(heard), self.write[role].transpose(1, 2)
        if self.axis is None:
            return torch.addmm(added, write[0], active[0])
        planes = self.scatter(torch.bmm(write, active))
        return (added.view_as(planes) + planes).view_as(added)


class CellRule(nn.Module):
    """What a cell does with its own channels: a small network, the same in every cell and step.

    It is where a cell weighs its state against the same place in earlier turns, at the cost of a few dozen parameters.

    Args:
        channels: Input channels of a cell.
        hidden: Hidden channels.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.read = nn.Parameter(torch.empty(hidden, channels))
        self.read_bias = nn.Parameter(torch.empty(hidden, 1))
        self.write = nn.Parameter(torch.empty(hidden))

    def forward(self, turns: torch.Tensor) -> torch.Tensor:
        """Change of the first of the turns `[turns, cells, batch]`: `[cells, batch]`."""
        with torch.autocast(turns.device.type, enabled=False):
            flat = turns.flatten(1).to(self.read.dtype)
            if torch.is_grad_enabled():
                changed = _SmallNetwork.apply(flat, self.read, self.read_bias, self.write)
            else:  # a question alone: all at once is quicker
                changed = self.write @ torch.addmm(self.read_bias, self.read, flat).relu_()
            return changed.view(turns.shape[1:])


class _SmallNetwork(torch.autograd.Function):
    """write @ relu(read @ inputs + bias), for few channels and very many columns.

    The hidden channels of a whole batch would be written to memory and read again a dozen times, which took a sixth of
    a training step. Here they are made for as many columns as fit in a processor's cache, and made again backwards.
    """

    @staticmethod
    def forward(
        ctx: Any, inputs: torch.Tensor, read: torch.Tensor, bias: torch.Tensor, write: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(inputs, read, bias, write)
        parts = inputs.split(_COLUMNS, dim=1)
        return torch.cat([write @ torch.mm(read, part).add_(bias).relu_() for part in parts])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        inputs, read, bias, write = ctx.saved_tensors
        of_read, of_bias, of_write = (torch.zeros_like(each) for each in (read, bias, write))
        back, of_inputs = (read * write[:, None]).T, []
        for part, wanted in zip(inputs.split(_COLUMNS, dim=1), gradient.split(_COLUMNS), strict=True):
            hidden = torch.mm(read, part).add_(bias).relu_()
            of_write.addmv_(hidden, wanted)
            passed = hidden.sign_().mul_(wanted)  # where a hidden channel was active
            of_read.addmm_(passed, part.T)
            of_bias.add_(passed.sum(1, keepdim=True))
            if ctx.needs_input_grad[0]:
                of_inputs.append(back @ passed)
        of_turns = torch.cat(of_inputs, dim=1) if of_inputs else None
        return of_turns, of_read * write[:, None], of_bias * write[:, None], of_write


class CubeCore(nn.Module):
    """The recurrent lattice.

    Each step, the same in every cell: state += bias + cell rule of my channels + what the units of my three planes
    and the global units write to me. Steps cost no further parameters. All that writes starts at zero: an untrained
    core adds exactly nothing.

    Args:
        config: Shape.
    """

    gradient_checkpointing = False
    _gradient_checkpointing_func: Callable[..., torch.Tensor]

    def __init__(self, config: CubeConfig) -> None:
        super().__init__()
        x, y, z = config.lattice_size or cubic_lattice(config.embedding_dim)
        turns = 1 + config.context_turns
        roles = 2 if config.map_answers or config.mode == "autoencoder" else 1
        groups = [(None, config.global_units)] + [(axis, config.plane_units) for axis in range(3)]
        self.steps = config.steps
        self.voices = [0, turns]  # of a question and of an answer; the earlier turns are between them
        self.units = nn.ModuleList(
            CellUnits((x, y, z), axis, units, turns + roles - 1, roles) for axis, units in groups if units
        )
        # without earlier turns a cell has one channel: nothing to weigh
        self.rule = CellRule(turns, config.cell_channels) if config.cell_channels and turns > 1 else None
        self.bias = nn.Parameter(torch.empty(roles, config.embedding_dim))

    def forward(self, inputs: torch.Tensor, role: int = QUESTION) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Map vectors of length 1 or 0.

        Args:
            inputs: `[batch, channels, cells]`: a question and the turns before it, or an answer alone.
            role: `QUESTION` or `ANSWER`.

        Returns:
            `[batch, cells]`, and the same after each step.
        """
        # a vector of length 1 has components near 1/sqrt(d): cells compute with values near 1
        scale = math.sqrt(inputs.shape[-1])
        # the batch last: copies between planes then move long runs of memory
        scaled = (inputs * scale).permute(1, 2, 0).contiguous()
        # reading is linear: what is given is read once, later steps read only what was added to it
        heard = [units.hear(scaled, self.voices[role], role) for units in self._cell_units()]
        residual, states = None, []
        for _ in range(self.steps):
            if self.gradient_checkpointing and self.training:
                residual = self._gradient_checkpointing_func(self.step, role, scaled, residual, *heard)
            else:
                residual = self.step(role, scaled, residual, *heard)
            states.append(torch.add(inputs[:, 0], residual.T, alpha=1 / scale))
        return states[-1], states

    def step(self, role: int, given: torch.Tensor, residual: torch.Tensor | None, *heard: torch.Tensor) -> torch.Tensor:
        """One step: what has been added to the first of the turns `[turns, cells, batch]`, with this step's part."""
        added = self.bias[role][:, None].expand(given.shape[1:])
        if self.rule is not None and role == QUESTION:
            state = given if residual is None else torch.cat([(given[0] + residual)[None], given[1:]])
            added = added + self.rule(state)
        for units, before in zip(self._cell_units(), heard, strict=True):
            now = before if residual is None else before + units.listen(residual[None], self.voices[role])
            added = units(added, now, role)
        return added if residual is None else residual + added

    def _cell_units(self) -> list[CellUnits]:
        return cast("list[CellUnits]", list(self.units))


class LatticeCode(nn.Module):
    """The narrow place of an autoencoder: all cells -> a short code -> all cells, both linear.

    Args:
        cells: Cells of the lattice.
        size: Numbers in the code.
    """

    def __init__(self, cells: int, size: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.empty(cells))
        self.read = nn.Parameter(torch.empty(cells, size))
        self.write = nn.Parameter(torch.empty(size, cells))

    def encode(self, state: torch.Tensor) -> torch.Tensor:
        """`[batch, cells]` -> `[batch, size]`."""
        return (state - self.mean) @ self.read

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """`[batch, size]` -> `[batch, cells]`."""
        return code @ self.write + self.mean


class CubeModel(PreTrainedModel):
    """Maps a frozen teacher's question embedding to the answer's, or an embedding through a short code and back.

    An untrained core of mode `"dialogue"` returns the question's embedding bit for bit, so training starts from plain
    similarity search. One of mode `"autoencoder"` starts from principal component analysis.

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
    supports_gradient_checkpointing = True

    def __init__(self, config: CubeConfig) -> None:
        super().__init__(config)
        self.core = CubeCore(config)
        size = config.code_size if config.mode == "autoencoder" else None
        self.code = LatticeCode(config.embedding_dim, size) if size else None
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, CellUnits):
            # a unit hears all turns of a question at once
            turns = 1 + self.config.context_turns
            init.normal_(module.read, std=self.config.initializer_range / math.sqrt(module.cells * turns))
            init.ones_(module.gate)
            init.zeros_(module.read_bias)
            init.zeros_(module.write)
        elif isinstance(module, CellRule):
            init.normal_(module.read, std=self.config.initializer_range / math.sqrt(module.read.shape[1]))
            init.zeros_(module.read_bias)
            init.zeros_(module.write)
        elif isinstance(module, CubeCore):
            init.zeros_(module.bias)
        elif isinstance(module, LatticeCode):
            init.zeros_(module.mean)
            init.orthogonal_(module.read)
            init.copy_(module.write, module.read.T)

    @torch.no_grad()
    def start_from_principal_axes(self, vectors: torch.Tensor) -> None:
        """Make an untrained autoencoder the principal component analysis of `vectors` `[n, embedding_dim]`."""
        if self.code is None:
            raise ValueError("only a core of mode 'autoencoder' has a code")
        given = vectors.double()
        mean = given.mean(0)
        _, axes = torch.linalg.eigh((given - mean).T @ (given - mean))  # ascending
        axes = axes.flip(1)[:, : self.config.code_size]
        # an axis and its opposite are equally good: the one whose largest entry is positive
        axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
        self.code.mean.copy_(mean)
        self.code.read.copy_(axes)
        self.code.write.copy_(axes.T)

    def encode_questions(self, question_embeddings: torch.Tensor) -> torch.Tensor:
        """Map questions (an autoencoder: restore vectors).

        Args:
            question_embeddings: `[batch, embedding_dim]`, or `[batch, turns, embedding_dim]` with the question first
                and then the turns before it, most recent first; a missing turn is a row of zeros, and so are those
                not given.

        Returns:
            `[batch, embedding_dim]`, not normalised.
        """
        return self._run(question_embeddings)[0]

    def encode_answers(self, answer_embeddings: torch.Tensor) -> torch.Tensor:
        """Map answers `[batch, embedding_dim]`; the same values when the model does not map answers."""
        if self.code is not None or not self.config.map_answers:
            return answer_embeddings
        return self.core(answer_embeddings[:, None], ANSWER)[0]

    def encode_code(self, embeddings: torch.Tensor) -> torch.Tensor:
        """The code `[batch, code_size]` of vectors `[batch, embedding_dim]`."""
        if self.code is None:
            raise ValueError("only a core of mode 'autoencoder' has a code")
        return self.code.encode(self.core(self._channels(embeddings))[0])

    def decode_code(self, code: torch.Tensor) -> torch.Tensor:
        """Vectors `[batch, embedding_dim]`, not normalised, of codes `[batch, code_size]`."""
        if self.code is None:
            raise ValueError("only a core of mode 'autoencoder' has a code")
        return self.core(self.code.decode(code)[:, None], ANSWER)[0]

    def forward(
        self,
        question_embeddings: torch.Tensor,
        answer_embeddings: torch.Tensor | None = None,
        output_lattice: bool = False,
        return_dict: bool = True,
    ) -> CubeOutput | tuple[torch.Tensor, ...]:
        """Map a batch.

        Args:
            question_embeddings: See `encode_questions`.
            answer_embeddings: `[batch, embedding_dim]`, when they are to be mapped too.
            output_lattice: Also give the states of all cells after every step, for viewing.
            return_dict: False gives a tuple without the None entries.
        """
        mapped, code, first, states = self._run(question_embeddings)
        output = CubeOutput(embeddings=mapped, code=code)
        if answer_embeddings is not None:
            output.answer_embeddings = self.encode_answers(answer_embeddings)
        if output_lattice:
            sides = self.config.lattice_size or cubic_lattice(self.config.embedding_dim)
            output.cell_states = torch.stack([first, *states], dim=1).unflatten(-1, tuple(sides))
        return output if return_dict else output.to_tuple()

    def _run(
        self, question_embeddings: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, list[torch.Tensor]]:
        """Mapped vectors, code, and the states of the lattice that made them: the first and one a step."""
        given = self._channels(question_embeddings)
        if self.code is None:
            mapped, states = self.core(given)
            return mapped, None, given[:, 0], states
        code = self.code.encode(self.core(given)[0])
        first = self.code.decode(code)
        mapped, states = self.core(first[:, None], ANSWER)
        return mapped, code, first, states

    def _channels(self, question_embeddings: torch.Tensor) -> torch.Tensor:
        """`[batch, 1 + context_turns, embedding_dim]`, with zeros for turns that were not given."""
        given = question_embeddings[:, None] if question_embeddings.dim() == 2 else question_embeddings
        channels = 1 + self.config.context_turns
        if given.dim() != 3 or given.shape[-1] != self.config.embedding_dim or not 1 <= given.shape[1] <= channels:
            raise ValueError(
                f"question_embeddings {list(question_embeddings.shape)}: expected [batch, {self.config.embedding_dim}] "
                f"or [batch, 1 to {channels}, {self.config.embedding_dim}]"
            )
        return functional.pad(given, (0, 0, 0, channels - given.shape[1]))


# `save_pretrained` then copies these two files beside the weights, for `trust_remote_code=True` without this package
CubeConfig.register_for_auto_class()
CubeModel.register_for_auto_class("AutoModel")
