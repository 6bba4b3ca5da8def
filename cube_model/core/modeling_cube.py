"""The 3D cubic core: a lattice of cells that maps a question's embedding to its answer's.

Uploaded with the weights, so it imports nothing from this project except its configuration.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub import HfApi
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput, cached_file

from .configuration_cube import CubeConfig, cubic_lattice

TEXT_FILES = (
    *("modules.json", "config_sentence_transformers.json", "sentence_cube.py", "pipeline_cube.py", "handler.py"),
    *("requirements.txt", "text_cube.py", "turns_cube.py", "teacher_cube.py", "static_cube.py", "pooling.py"),
)
"""Files beside the weights by which others turn texts into vectors: with sentence-transformers, with `pipeline` of
transformers, and on Inference Endpoints."""

_CARD = """\
---
library_name: sentence-transformers
pipeline_tag: feature-extraction
tags:
- cube
- sentence-transformers
- dialogue
---

# {name}

A 3D cubic core with a lattice of {lattice} cells, for the embeddings of `{teacher}`.

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("{repo_id}", trust_remote_code=True)
vectors = model.encode(["I need a table for two."])
```

Its training was not recorded with it.
"""


@dataclass
class CubeOutput(ModelOutput):
    """Output of `CubeModel`.

    Args:
        embeddings: Mapped questions, or the embeddings that an autoencoder restored, `[batch, embedding_dim]`; not
            normalised, so compare them by cosine.
        answer_embeddings: Mapped answers `[batch, embedding_dim]`; None if the input had no answers.
        code: Code of an autoencoder `[batch, code_size]`; None in other modes.
        cell_states: With `output_lattice=True`, the state of every cell before the first step and after each step,
            `[batch, steps + 1, x, y, z]`. The last state equals `embeddings`.
    """

    embeddings: torch.Tensor | None = None
    answer_embeddings: torch.Tensor | None = None
    code: torch.Tensor | None = None
    cell_states: torch.Tensor | None = None


_COLUMNS = 16384
"""Columns (cells x batch) that the cell rule processes at a time: few enough to fit in a processor's cache."""

QUESTION, ANSWER = 0, 1
"""Roles of the lattice. An autoencoder encodes in the first role and decodes in the second."""


class CellUnits(nn.Module):
    """Units that a group of cells shares: all cells (global units) or the cells of one lattice plane (plane units).

    A unit reads from the cells of its group and writes back to the same cells. Questions, context turns and answers
    are embeddings of the same teacher, so they share the read weights and differ by one gate per channel. Each role
    has its own write weights.

    Args:
        lattice: Sides x, y, z.
        axis: Axis across which the lattice is cut into planes, one group each; None makes one group of all cells.
        units: Number of units per group.
        channels: Number of input channels: the question, each context turn and, with two roles, the answer.
        roles: 2 if the core also maps answers or decodes, else 1.
    """

    def __init__(self, lattice: tuple[int, int, int], axis: int | None, units: int, channels: int, roles: int) -> None:
        super().__init__()
        self.lattice, self.axis = lattice, axis
        self.groups = 1 if axis is None else lattice[axis]
        self.cells = math.prod(lattice) // self.groups
        self.read = nn.Parameter(torch.empty(self.groups, self.cells, units))
        self.gate = nn.Parameter(torch.empty(channels, self.groups, 1, units))
        self.read_bias = nn.Parameter(torch.empty(roles, self.groups, units, 1))
        self.write = nn.Parameter(torch.empty(roles, self.groups, units, self.cells))

    def gather(self, state: torch.Tensor) -> torch.Tensor:
        """Group the cells: `[channels, all cells, batch]` -> `[groups, channels x cells of a group, batch]`."""
        channels, cells, batch = state.shape
        if self.axis is None:
            return state.reshape(1, channels * cells, batch)
        return state.view(channels, *self.lattice, batch).movedim(self.axis + 1, 0).reshape(self.groups, -1, batch)

    def scatter(self, grouped: torch.Tensor) -> torch.Tensor:
        """Return planes `[groups, cells of a group, batch]` to the lattice: a view `[x, y, z, batch]`."""
        sides = [side for axis, side in enumerate(self.lattice) if axis != self.axis]
        return grouped.view(self.groups, *sides, -1).movedim(0, self.axis or 0)

    def read_input(self, inputs: torch.Tensor, first: int, role: int) -> torch.Tensor:
        """Compute the units' preactivations from a core's input.

        Args:
            inputs: `[channels, all cells, batch]`.
            first: Index of the first of these channels.
            role: `QUESTION` or `ANSWER`.

        Returns:
            `[groups, units, batch]`.
        """
        preactivations = self.read_bias[role]
        # The cells of a plane are contiguous within a channel but not across channels. Reading one channel at a time
        # avoids most copies, which pays off for the batches of a training run.
        one_by_one = self.training and self.axis is not None
        for channel, part in enumerate(inputs.split(1) if one_by_one else [inputs], start=first):
            preactivations = torch.baddbmm(preactivations, self._gated(len(part), channel), self.gather(part))
        return preactivations

    def read_residual(self, residual: torch.Tensor, channel: int) -> torch.Tensor:
        """Compute what a residual `[1, all cells, batch]` of one channel adds to the preactivations."""
        return torch.bmm(self._gated(len(residual), channel), self.gather(residual))

    def _gated(self, channels: int, first: int) -> torch.Tensor:
        # gating the weights takes less memory than gating what a batch makes of them
        gated = self.read[:, None] * self.gate[first : first + channels].movedim(0, 1)
        return gated.flatten(1, 2).transpose(1, 2)

    def forward(self, update: torch.Tensor, preactivations: torch.Tensor, role: int) -> torch.Tensor:
        """Add the output of the units to `update`, the change of all cells `[all cells, batch]`."""
        active, write = functional.gelu(preactivations), self.write[role].transpose(1, 2)
        if self.axis is None:
            return torch.addmm(update, write[0], active[0])
        planes = self.scatter(torch.bmm(write, active))
        return (update.view_as(planes) + planes).view_as(update)


class CellRule(nn.Module):
    """Small network over the input channels of a single cell, shared by all cells and steps.

    It compares a cell's state with the same cell in the context turns, using a few dozen parameters.

    Args:
        channels: Number of input channels per cell.
        hidden: Number of hidden channels.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.read = nn.Parameter(torch.empty(hidden, channels))
        self.read_bias = nn.Parameter(torch.empty(hidden, 1))
        self.write = nn.Parameter(torch.empty(hidden))

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        """Compute the update of the first channel, `[channels, cells, batch]` -> `[cells, batch]`."""
        with torch.autocast(state.device.type, enabled=False):
            flat = state.flatten(1).to(self.read.dtype)
            if torch.is_grad_enabled():
                update = _SmallNetwork.apply(flat, self.read, self.read_bias, self.write)
            else:  # for a single question, one pass is faster
                update = self.write @ torch.addmm(self.read_bias, self.read, flat).relu_()
            return update.view(state.shape[1:])


class _SmallNetwork(torch.autograd.Function):
    """Compute write @ relu(read @ inputs + bias) for few channels and many columns.

    Storing the hidden channels of a whole batch means writing them to memory and reading them a dozen times: a sixth
    of a training step. This function computes them in blocks that fit in a processor's cache, and recomputes them in
    the backward pass.
    """

    @staticmethod
    def forward(
        ctx: Any, inputs: torch.Tensor, read: torch.Tensor, bias: torch.Tensor, write: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(inputs, read, bias, write)
        blocks = inputs.split(_COLUMNS, dim=1)
        return torch.cat([write @ torch.mm(read, block).add_(bias).relu_() for block in blocks])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        inputs, read, bias, write = ctx.saved_tensors
        grad_read, grad_bias, grad_write = (torch.zeros_like(parameter) for parameter in (read, bias, write))
        back, grad_blocks = (read * write[:, None]).T, []
        for block, grad_output in zip(inputs.split(_COLUMNS, dim=1), gradient.split(_COLUMNS), strict=True):
            hidden = torch.mm(read, block).add_(bias).relu_()
            grad_write.addmv_(hidden, grad_output)
            grad_hidden = hidden.sign_().mul_(grad_output)  # only where a hidden channel was active
            grad_read.addmm_(grad_hidden, block.T)
            grad_bias.add_(grad_hidden.sum(1, keepdim=True))
            if ctx.needs_input_grad[0]:
                grad_blocks.append(back @ grad_hidden)
        grad_inputs = torch.cat(grad_blocks, dim=1) if grad_blocks else None
        return grad_inputs, grad_read * write[:, None], grad_bias * write[:, None], grad_write


class CubeCore(nn.Module):
    """The recurrent lattice.

    Every step updates every cell by the same formula: state += bias + cell rule(channels of the cell) + output of the
    units of its three planes + output of the global units. All steps share their weights. Everything that writes is
    initialised to zero, so an untrained core adds exactly nothing.

    Args:
        config: Shape of the core.
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
        self.channels = [0, turns]  # of the question and of the answer, by role; context turns come between them
        self.units = nn.ModuleList(
            CellUnits((x, y, z), axis, units, turns + roles - 1, roles) for axis, units in groups if units
        )
        # without context a cell has one channel and nothing to compare it with
        self.rule = CellRule(turns, config.cell_channels) if config.cell_channels and turns > 1 else None
        self.bias = nn.Parameter(torch.empty(roles, config.embedding_dim))

    def forward(self, inputs: torch.Tensor, role: int = QUESTION) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Map embeddings of norm 1 or 0.

        Args:
            inputs: A question and its context turns, or an answer alone, `[batch, channels, cells]`.
            role: `QUESTION` or `ANSWER`.

        Returns:
            The final state `[batch, cells]`, and the state after each step.
        """
        # components of a unit vector are near 1/sqrt(d); scale them so that cells compute with values near 1
        scale = math.sqrt(inputs.shape[-1])
        # batch last: copying planes then moves long contiguous runs of memory
        scaled = (inputs * scale).permute(1, 2, 0).contiguous()
        # reading is linear: read the input once, and only the residual in later steps
        preactivations = [units.read_input(scaled, self.channels[role], role) for units in self._cell_units()]
        residual, states = None, []
        for _ in range(self.steps):
            if self.gradient_checkpointing and self.training:
                residual = self._gradient_checkpointing_func(self.step, role, scaled, residual, *preactivations)
            else:
                residual = self.step(role, scaled, residual, *preactivations)
            states.append(torch.add(inputs[:, 0], residual.T, alpha=1 / scale))
        return states[-1], states

    def step(
        self, role: int, inputs: torch.Tensor, residual: torch.Tensor | None, *preactivations: torch.Tensor
    ) -> torch.Tensor:
        """Run one step.

        Args:
            role: `QUESTION` or `ANSWER`.
            inputs: Scaled input `[channels, cells, batch]`.
            residual: Sum of the updates of earlier steps `[cells, batch]`; None in the first step.
            preactivations: `[groups, units, batch]` of the input, one for each `CellUnits`.

        Returns:
            The residual including this step's update, `[cells, batch]`.
        """
        update = self.bias[role][:, None].expand(inputs.shape[1:])
        if self.rule is not None and role == QUESTION:
            state = inputs if residual is None else torch.cat([(inputs[0] + residual)[None], inputs[1:]])
            update = update + self.rule(state)
        for units, current in zip(self._cell_units(), preactivations, strict=True):
            if residual is not None:
                current = current + units.read_residual(residual[None], self.channels[role])
            update = units(update, current, role)
        return update if residual is None else residual + update

    def _cell_units(self) -> list[CellUnits]:
        return cast("list[CellUnits]", list(self.units))


class LatticeCode(nn.Module):
    """Linear bottleneck of an autoencoder: all cells -> a short code -> all cells.

    Args:
        cells: Number of cells of the lattice.
        size: Dimension of the code.
    """

    def __init__(self, cells: int, size: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.empty(cells))
        self.read = nn.Parameter(torch.empty(cells, size))
        self.write = nn.Parameter(torch.empty(size, cells))

    def encode(self, state: torch.Tensor) -> torch.Tensor:
        """Compress states `[batch, cells]` to codes `[batch, size]`."""
        return (state - self.mean) @ self.read

    def decode(self, code: torch.Tensor) -> torch.Tensor:
        """Restore states `[batch, cells]` from codes `[batch, size]`."""
        return code @ self.write + self.mean


class CubeModel(PreTrainedModel):
    """Map a frozen teacher's question embeddings to answer embeddings, or compress embeddings to short codes.

    An untrained core in mode `"dialogue"` returns the question embedding bit for bit, so training starts from plain
    similarity search. In mode `"autoencoder"`, training starts from principal component analysis.

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
            # a unit reads the question and all context turns at once
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
        """Initialise an untrained autoencoder with the principal components of `vectors` `[n, embedding_dim]`.

        Raises:
            ValueError: The core is not an autoencoder.
        """
        code = self._lattice_code()
        mean = vectors.double().mean(0)
        centred = vectors.double() - mean
        _, axes = torch.linalg.eigh(centred.T @ centred)  # ascending
        axes = axes.flip(1)[:, : self.config.code_size]
        # the sign of an axis is arbitrary: make its largest entry positive
        axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
        code.mean.copy_(mean)
        code.read.copy_(axes)
        code.write.copy_(axes.T)

    def save_pretrained(
        self, save_directory: str | os.PathLike[str], is_main_process: bool = True, *args: Any, **kwargs: Any
    ) -> None:
        """Save the core, with the files by which others turn texts into vectors; see `PreTrainedModel`.

        Args:
            save_directory: Folder to write to.
            is_main_process: Whether this process writes.
            args: As for `PreTrainedModel`.
            kwargs: As for `PreTrainedModel`.
        """
        super().save_pretrained(save_directory, is_main_process, *args, **kwargs)
        if is_main_process:
            self._copy_text_files(Path(save_directory))

    def push_to_hub(self, repo_id: str, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Publish as `PreTrainedModel` does, unless the training data may not be redistributed.

        The licences are checked where this project is installed; `dialogue-cube push model` also checks the files.

        Args:
            repo_id: Repository, `org/name`.
            args: As for `PreTrainedModel`.
            kwargs: As for `PreTrainedModel`.

        Raises:
            ValueError: The training data may not be redistributed, or their licence is unknown.
        """
        file = self._file_of_origin("training.json")
        record = json.loads(file.read_text(encoding="utf-8")).get("data") if file else self.config.training
        for check in entry_points(group="dialogue_cube.push", name="restricted_data"):
            if record and (restricted := check.load()(record)):
                names = ", ".join(f"{source} ({license})" for source, license in restricted.items())
                raise ValueError(
                    f"{repo_id}: trained on data that may not be redistributed, or whose licence is unknown: {names}; "
                    "nothing was pushed. `dialogue-cube push model --restricted-data` publishes if their owners agree"
                )
        return super().push_to_hub(repo_id, *args, **kwargs)  # type: ignore[arg-type]

    def _upload_modified_files(
        self, working_dir: str | os.PathLike[str], repo_id: str, *args: Any, **kwargs: Any
    ) -> Any:
        """Complete the folder that `push_to_hub` uploads: its card is that of the origin, or a short true one."""
        folder = Path(working_dir)
        self._copy_text_files(folder)
        if record := self._file_of_origin("training.json"):
            shutil.copyfile(record, folder / "training.json")
        if card := self._file_of_origin("README.md"):
            text = card.read_text(encoding="utf-8")
            if name := re.search(r'(?:SentenceTransformer|from_pretrained)\("([^"]+)"', text):
                text = text.replace(f'"{name[1]}"', f'"{repo_id}"')
                old, new = (full.split("/")[-1] for full in (name[1], repo_id))
                for title in ("model_name: {}", "# {}"):
                    text = text.replace(f"\n{title.format(old)}\n", f"\n{title.format(new)}\n")
            text = re.sub(r', revision="[^"]*"', "", text)  # a tag of the other repository
            (folder / "README.md").write_text(text, encoding="utf-8")
        elif not HfApi(token=kwargs.get("token")).file_exists(repo_id, "README.md"):
            teacher = (self.config.teacher or {}).get("name", "an encoder that was not recorded")
            lattice = " x ".join(map(str, self.config.lattice_size or []))
            text = _CARD.format(name=repo_id.split("/")[-1], repo_id=repo_id, lattice=lattice, teacher=teacher)
            (folder / "README.md").write_text(text, encoding="utf-8")
        return super()._upload_modified_files(working_dir, repo_id, *args, **kwargs)

    def _copy_text_files(self, folder: Path) -> None:
        for name in TEXT_FILES:
            own = Path(__file__).with_name(name)  # transformers keeps only the code that this file imports beside it
            if file := own if own.is_file() else self._file_of_origin(name):
                shutil.copyfile(file, folder / name)

    def _file_of_origin(self, name: str) -> Path | None:
        """A file of the folder or Hub repository that the core was loaded from; None if there is none."""
        missing = ("missing_entries", "connection_errors", "gated_repo")
        quiet = {f"_raise_exceptions_for_{kind}": False for kind in missing}
        try:
            origin, revision = self.config.name_or_path, getattr(self.config, "_commit_hash", None)
            file = cached_file(origin, name, revision=revision, **quiet) if origin else None
        except (OSError, ValueError):  # a folder that is gone
            return None
        return None if file is None else Path(file)

    def encode_questions(self, question_embeddings: torch.Tensor) -> torch.Tensor:
        """Map questions, or restore embeddings with an autoencoder.

        Args:
            question_embeddings: Questions `[batch, embedding_dim]`, or questions with context `[batch, turns,
                embedding_dim]`: the question first, then up to `context_turns` turns, most recent first. A row of
                zeros marks a missing turn; omitted turns count as missing.

        Returns:
            `[batch, embedding_dim]`, not normalised.

        Raises:
            ValueError: The shape does not fit the core.
        """
        return self._run(question_embeddings)[0]

    def encode_answers(self, answer_embeddings: torch.Tensor) -> torch.Tensor:
        """Map answers `[batch, embedding_dim]`; return them unchanged if the core does not map answers."""
        if self.code is not None or not self.config.map_answers:
            return answer_embeddings
        return self.core(answer_embeddings[:, None], ANSWER)[0]

    def encode_code(self, embeddings: torch.Tensor) -> torch.Tensor:
        """Compress embeddings `[batch, embedding_dim]` to codes `[batch, code_size]`.

        Raises:
            ValueError: The core is not an autoencoder, or the shape does not fit.
        """
        return self._lattice_code().encode(self.core(self._channels(embeddings))[0])

    def decode_code(self, code: torch.Tensor) -> torch.Tensor:
        """Restore embeddings `[batch, embedding_dim]`, not normalised, from codes `[batch, code_size]`.

        Raises:
            ValueError: The core is not an autoencoder.
        """
        return self.core(self._lattice_code().decode(code)[:, None], ANSWER)[0]

    def forward(
        self,
        question_embeddings: torch.Tensor,
        answer_embeddings: torch.Tensor | None = None,
        output_lattice: bool = False,
        return_dict: bool = True,
    ) -> CubeOutput | tuple[torch.Tensor, ...]:
        """Map a batch.

        Args:
            question_embeddings: Questions with optional context, as in `encode_questions`.
            answer_embeddings: Answers to map as well, `[batch, embedding_dim]`.
            output_lattice: Whether to return the cell states of every step, for visualisation.
            return_dict: Whether to return a `CubeOutput`; otherwise a tuple without its None entries.
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
        """Return mapped embeddings, code, and the initial and later states of the lattice that produced them."""
        inputs = self._channels(question_embeddings)
        if self.code is None:
            mapped, states = self.core(inputs)
            return mapped, None, inputs[:, 0], states
        code = self.code.encode(self.core(inputs)[0])
        first = self.code.decode(code)
        mapped, states = self.core(first[:, None], ANSWER)
        return mapped, code, first, states

    def _channels(self, question_embeddings: torch.Tensor) -> torch.Tensor:
        """Return `[batch, 1 + context_turns, embedding_dim]`, padded with zeros for omitted turns."""
        inputs = question_embeddings[:, None] if question_embeddings.dim() == 2 else question_embeddings
        channels = 1 + self.config.context_turns
        if inputs.dim() != 3 or inputs.shape[-1] != self.config.embedding_dim or not 1 <= inputs.shape[1] <= channels:
            raise ValueError(
                f"question_embeddings {list(question_embeddings.shape)}: expected [batch, {self.config.embedding_dim}] "
                f"or [batch, 1 to {channels}, {self.config.embedding_dim}]"
            )
        return functional.pad(inputs, (0, 0, 0, channels - inputs.shape[1]))

    def _lattice_code(self) -> LatticeCode:
        if self.code is None:
            raise ValueError("only a core of mode 'autoencoder' has a code")
        return self.code


# makes `save_pretrained` copy both files next to the weights: `trust_remote_code=True` then works without this package
CubeConfig.register_for_auto_class()
CubeModel.register_for_auto_class("AutoModel")
