"""Makes `transformers.AutoConfig` and `AutoModel` know the model type `"cube"`, without importing transformers early.

Importing transformers' auto classes takes seconds, and most uses of this package (the command line's help, for one)
do without: a hook waits until somebody else imports them.
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
    """Register now; a second call changes nothing."""
    from transformers import AutoConfig, AutoModel

    from cube_model.core.configuration_cube import CubeConfig
    from cube_model.core.modeling_cube import CubeModel

    AutoConfig.register(CubeConfig.model_type, CubeConfig, exist_ok=True)
    AutoModel.register(CubeConfig, CubeModel, exist_ok=True)


class _AfterImport(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds transformers' auto module by the usual finders, and registers right after it has run."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != _AUTO:
            return None
        sys.meta_path.remove(self)  # one shot, and find_spec below must not come back here
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
    """Register now when transformers' auto classes are there already, else as soon as they are imported."""
    if _AUTO in sys.modules:
        register()
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport())
