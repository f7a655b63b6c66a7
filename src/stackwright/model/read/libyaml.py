"""libyaml's event parser out of PyYAML, without paying for PyYAML's pure-Python half.

``import yaml`` compiles large regular expressions and loads ``datetime``, ``base64`` and ``re``: as long as
all the rest of ``config`` takes on a small file (docs/decisions/libyaml.md has the figures). The extension
module needs only the classes that it raises and returns. So the package is put in place *unexecuted*: its
``__init__`` runs when somebody asks for a name of it, with the same event and node classes.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_ERRORS = {
    "reader": "ReaderError",
    "scanner": "ScannerError",
    "parser": "ParserError",
    "composer": "ComposerError",
    "constructor": "ConstructorError",
    "emitter": "EmitterError",
    "serializer": "SerializerError",
    "representer": "RepresenterError",
}
"""Which of PyYAML's modules the extension takes an error class from while it loads."""


def _load() -> Any:
    if "yaml" not in sys.modules and (spec := PathFinder.find_spec("yaml")) is not None:
        _put_unexecuted(spec)
    import yaml._yaml as extension

    for name in _ERRORS:
        module = sys.modules.get(f"yaml.{name}")
        if module is not None and getattr(module, "__file__", None) is None:
            del sys.modules[f"yaml.{name}"]
    return extension


def _put_unexecuted(spec: ModuleSpec) -> None:
    """Make ``yaml`` importable as a package whose ``__init__`` runs at the first unknown attribute."""
    module_type = type(sys)
    package = module_type("yaml")
    package.__spec__, package.__loader__, package.__file__ = spec, spec.loader, spec.origin
    package.__package__ = "yaml"
    package.__path__ = list(spec.submodule_search_locations or ())
    sys.modules["yaml"] = package
    import yaml.error

    for name, error in _ERRORS.items():
        stand_in = module_type(f"yaml.{name}")
        base = _ReaderError if name == "reader" else yaml.error.MarkedYAMLError
        setattr(stand_in, error, type(error, (base, yaml.error.YAMLError), {}))
        sys.modules[f"yaml.{name}"] = stand_in
        setattr(package, name, stand_in)
    import yaml.events
    import yaml.nodes
    import yaml.tokens

    def execute(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _execute(package, spec)
        return getattr(package, name)

    package.__getattr__ = execute  # type: ignore[method-assign]


def _execute(package: ModuleType, spec: ModuleSpec) -> None:
    """Run the package's real ``__init__`` in the module that stands for it."""
    del package.__getattr__
    for name in _ERRORS:
        sys.modules.pop(f"yaml.{name}", None)
        package.__dict__.pop(name, None)
    assert spec.loader is not None
    spec.loader.exec_module(package)


class _ReaderError(Exception):
    """What the extension raises for bytes that are no text; same arguments as ``yaml.reader.ReaderError``."""

    def __init__(self, name: str, position: int, character: object, encoding: str, reason: str) -> None:
        super().__init__(name, position, character, encoding, reason)
        self.name = name
        self.character = character
        self.position = position
        self.encoding = encoding
        self.reason = reason


_extension = _load()

CParser: Any = _extension.CParser
"""``CParser(bytes).get_event()`` until it returns None; raises ``YAMLError``."""

YAMLError: Any = sys.modules["yaml.error"].YAMLError
"""The base of what the parser raises."""

_events = sys.modules["yaml.events"]
AliasEvent: Any = _events.AliasEvent
DocumentStartEvent: Any = _events.DocumentStartEvent
MappingEndEvent: Any = _events.MappingEndEvent
MappingStartEvent: Any = _events.MappingStartEvent
ScalarEvent: Any = _events.ScalarEvent
SequenceEndEvent: Any = _events.SequenceEndEvent
