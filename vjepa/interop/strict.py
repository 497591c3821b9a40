"""What of a state dict does not fit a module, key by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import Tensor, nn


@dataclass(frozen=True)
class Difference:
    """A key that a file and a module do not share.

    Args:
        key: its name, by our names.
        text: what is wrong with it.
    """

    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.key} is {self.text}"


def differences(state: Mapping[str, Tensor], module: nn.Module, prefix: str = "") -> list[Difference]:
    """Compare names and shapes.

    Args:
        state: tensors by name.
        module: that would load them.
        prefix: put before the names.

    Returns:
        Missing keys in the order of the module, then those that are unknown to it, then those of another shape.
    """
    found = {name: list(value.shape) for name, value in state.items()}
    expected = {name: list(value.shape) for name, value in module.state_dict().items()}
    wrong = [
        *((name, "missing") for name in expected if name not in found),
        *((name, "unknown") for name in found if name not in expected),
        *(
            (name, f"{found[name]} instead of {shape}")
            for name, shape in expected.items()
            if found.get(name, shape) != shape
        ),
    ]
    return [Difference(prefix + name, text) for name, text in wrong]


def refused(found: Iterable[Difference], allow: Sequence[str]) -> list[Difference]:
    """Those that no pattern names; ``*`` stands for any text, dots included."""
    return [one for one in found if not any(fnmatchcase(one.key, pattern) for pattern in allow)]


def load_matching(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copy what fits by name and shape into a module; the rest of it stays as it is."""
    own = module.state_dict()
    own.update({name: value for name, value in state.items() if name in own and value.shape == own[name].shape})
    module.load_state_dict(own)
