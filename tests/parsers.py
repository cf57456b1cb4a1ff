"""What a parser makes of a config: jsonargparse has called it by two names."""

from typing import Any

from jsonargparse import ArgumentParser, Namespace


def instantiated(parser: ArgumentParser, config: Namespace) -> Any:
    """The objects that a parsed config asks for."""
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
    return instantiate(config)
