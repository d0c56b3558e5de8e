"""Where a plugin's class comes from: a file, or an installed package."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

from plugin.base import Config, Plugin


class Unfit(Exception):
    """What was loaded is no plugin of ours; says why."""


def load(name: str, origin: str) -> type[Plugin]:
    """The class of a plugin. Raises Unfit, or whatever its own code does when it is loaded."""
    kind, _, place = origin.partition(":")
    found = _in_file(Path(place)) if kind == "file" else _installed(place)
    if getattr(found, "name", None) != name:
        raise Unfit(f"it calls itself {getattr(found, 'name', None)!r}, but must be {name!r}")
    config: object = found.config
    if not (inspect.isclass(config) and issubclass(config, Config)):
        raise Unfit("its config must be a class made from plugin.Config")
    return found


def _in_file(path: Path) -> type[Plugin]:
    """The one class in a file, or in a folder with its `__init__.py`."""
    name = f"wheelwright_plugins_{path.stem}"
    start = path / "__init__.py" if path.is_dir() else path
    within = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, start, submodule_search_locations=within)
    if spec is None or spec.loader is None:
        raise Unfit(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return _the_one(module)


def _the_one(module: ModuleType) -> type[Plugin]:
    found = [
        each
        for each in vars(module).values()
        if inspect.isclass(each)
        and issubclass(each, Plugin)
        and each.__module__.startswith(module.__name__)
    ]
    if len(found) != 1:
        raise Unfit(f"it has {len(found)} classes made from plugin.Plugin instead of one")
    return found[0]


def _installed(place: str) -> type[Plugin]:
    module, _, attribute = place.partition(":")
    found = getattr(importlib.import_module(module), attribute)
    if not (inspect.isclass(found) and issubclass(found, Plugin)):
        raise Unfit(f"{place} is no class made from plugin.Plugin")
    return found
