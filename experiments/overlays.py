"""The YAML files that ship: a base, a regime of data and steps, an objective; each a few lines over the one before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

CONFIGS = Path(__file__).parent / "configs"
BASE = CONFIGS / "base.yaml"


def variant_names() -> list[str]:
    """Variants that ship, baseline first: the files in configs/objective."""
    names = sorted(path.stem for path in (CONFIGS / "objective").glob("*.yaml"))
    return ["baseline", *(name for name in names if name != "baseline")]


def regime_names() -> list[str]:
    """Regimes that ship: the files in configs/regime."""
    return sorted(path.stem for path in (CONFIGS / "regime").glob("*.yaml"))


def objective_overlay(variant: str) -> Path:
    """File of a variant."""
    return CONFIGS / "objective" / f"{variant}.yaml"


def regime_overlay(regime: str) -> Path:
    """File of a regime."""
    return CONFIGS / "regime" / f"{regime}.yaml"


def merged(variant: str, regime: str | None = None) -> dict[str, Any]:
    """What base, regime and objective say together, without the defaults of the code and without importing it.

    Args:
        variant: name of an objective overlay.
        regime: name of a regime overlay; None leaves the data of the base.
    """
    paths = [BASE, *([regime_overlay(regime)] if regime else []), objective_overlay(variant)]
    settings: dict[str, Any] = {}
    for path in paths:
        settings = merge(settings, yaml.load(path.read_text(), Loader=_LOADER) or {})
    return settings


def merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings merge, everything else is replaced; options of another class are dropped, as on the command line."""
    if first.get("class_path", second.get("class_path")) != second.get("class_path", first.get("class_path")):
        return dict(second)
    result = dict(first)
    for key, value in second.items():
        earlier = result.get(key)
        both = isinstance(earlier, Mapping) and isinstance(value, Mapping)
        result[key] = merge(earlier, value) if both else value  # type: ignore[arg-type]
    return result


def look_up(settings: Mapping[str, Any], key: str) -> Any:
    """Value under a dotted key, None where there is none."""
    found: Any = settings
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def leaves(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and their values, in the order of the files."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
