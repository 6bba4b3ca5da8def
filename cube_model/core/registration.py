"""Register the model type `"cube"` with transformers' auto classes, without importing transformers early.

Importing the auto classes takes seconds, and some uses of this package, such as the command line's help, never need
them. An import hook therefore delays the registration until other code imports them.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

_AUTO = "transformers.models.auto.modeling_auto"


def register() -> None:
    """Register immediately; a second call has no effect."""
    from transformers import AutoConfig, AutoModel

    from cube_model.core.configuration_cube import CubeConfig
    from cube_model.core.configuration_turns import TurnsConfig
    from cube_model.core.modeling_cube import CubeModel
    from cube_model.core.modeling_turns import TurnsModel

    AutoConfig.register(CubeConfig.model_type, CubeConfig, exist_ok=True)
    AutoModel.register(CubeConfig, CubeModel, exist_ok=True)
    AutoConfig.register(TurnsConfig.model_type, TurnsConfig, exist_ok=True)
    AutoModel.register(TurnsConfig, TurnsModel, exist_ok=True)


class _AfterImport(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Import hook that loads the auto module with the usual finders, then registers the core."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != _AUTO:
            return None
        sys.meta_path.remove(self)  # runs once; also keeps `find_spec` below from recursing
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return None
        self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        register()


def register_lazily() -> None:
    """Register immediately if the auto classes are already imported, otherwise as soon as they are."""
    if _AUTO in sys.modules:
        register()
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())
