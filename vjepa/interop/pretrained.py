"""Weights that were trained elsewhere, under our names, and what loading them leaves out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from vjepa.errors import UserError
from vjepa.interop.strict import Difference, differences, load_matching, refused
from vjepa.nn import PRESETS, Encoder, Rope

State = Mapping[str, Tensor]

_SHOWN = 30
_ONLY_IN_V2_1 = ("video_mod_embed", "img_mod_embed", "patch_embed_img.proj.weight")


@dataclass(frozen=True)
class Pretrained:
    """A checkpoint in our names.

    Args:
        source: file or folder it was read from.
        layout: what wrote it, in words.
        parts: state dicts: ``encoder`` always, ``teacher`` (the moving average) and ``predictor`` where there are any.
        num_heads: of the encoder, where the file says so; shapes do not.
        surplus: entries of the file that belong to no part and are not known to hold training state.
    """

    source: Path
    layout: str
    parts: Mapping[str, State]
    num_heads: int | None = None
    surplus: tuple[str, ...] = ()

    @property
    def rope(self) -> Rope:
        """Version of the rotary positions that the encoder was trained with: 2.1 has modality vectors."""
        return "v2_1" if any(name in self.parts["encoder"] for name in _ONLY_IN_V2_1) else "v2"

    @property
    def patch_and_tubelet(self) -> tuple[int, int]:
        """Pixels of a patch's side, frames of a tubelet."""
        _, _, tubelet, patch, _ = self._patch_embedding.shape
        return patch, tubelet

    @property
    def preset(self) -> str:
        """Name of the preset of this width and depth.

        Raises:
            UserError: there is none.
        """
        width, depth = len(self._patch_embedding), self._depth
        for name, sizes in PRESETS.items():
            if (sizes.width, sizes.depth) == (width, depth) and self.num_heads in (None, sizes.num_heads):
                return name
        heads = "" if self.num_heads is None else f", {self.num_heads} heads"
        known = ", ".join(f"{name} {one.width} x {one.depth}, {one.num_heads} heads" for name, one in PRESETS.items())
        raise UserError(
            f"{self.source}: no preset has an encoder of width {width}, depth {depth}{heads}; expected one of {known}"
        )

    @property
    def _patch_embedding(self) -> Tensor:
        weight = self.parts["encoder"].get("patch_embed.proj.weight")
        if weight is None or weight.ndim != 5 or weight.shape[3] != weight.shape[4]:
            seen = "missing" if weight is None else list(weight.shape)
            raise UserError(
                f"{self.source}: encoder.patch_embed.proj.weight is {seen}, expected [width, 3, tubelet, patch, patch]"
            )
        return weight

    @property
    def _depth(self) -> int:
        numbers = (re.match(r"blocks\.(\d+)\.", name) for name in self.parts["encoder"])
        return 1 + max((int(match[1]) for match in numbers if match), default=-1)

    def check_rope(self, rope: Rope) -> None:
        """Refuse weights of the other version: they would load nearly whole and mean something else.

        Raises:
            UserError: the model has another ``rope``.
        """
        if rope != self.rope:
            raise UserError(
                f"{self.source} ({self.layout}) was trained with the rotary positions {self.rope}, the model has "
                f"{rope}: set model.rope to {self.rope}"
            )


def load_parts(found: Pretrained, modules: Mapping[str, nn.Module], allow: Sequence[str] = ()) -> list[Difference]:
    """Load parts of a checkpoint, each key or none.

    Args:
        found: what a file holds.
        modules: what is to be loaded, by part; every one must be in the file.
        allow: keys that may be missing, unknown or of another shape, as ``<part>.<key>`` with ``*`` for any text.

    Returns:
        The differences that ``allow`` let pass: what is missing or of another shape keeps its value in the module.

    Raises:
        UserError: keys differ that ``allow`` does not name, or the encoder has other heads; nothing has been loaded.
    """
    wrong = [Difference(name, "no part of a checkpoint that is known here") for name in found.surplus]
    for part, module in modules.items():
        if isinstance(module, Encoder):
            found.check_rope(module.rope)
            _check_heads(found, module)
        wrong += differences(found.parts[part], module, f"{part}.")
    if left := refused(wrong, allow):
        lines = [f"  {one}" for one in left[:_SHOWN]]
        if len(left) > _SHOWN:
            lines.append(f"  and {len(left) - _SHOWN} more")
        raise UserError(
            f"{found.source} ({found.layout}) does not fit, {len(left)} keys differ:\n"
            + "\n".join(lines)
            + "\nchoose the preset, patch and rope that it was trained with, or name the keys that may differ "
            f"(allow: {_patterns(left)}): those of the model then keep their initial values, unknown ones are left out"
        )
    for part, module in modules.items():
        load_matching(module, found.parts[part])
    return wrong


def _check_heads(found: Pretrained, encoder: Encoder) -> None:
    heads = encoder.preset.num_heads
    if found.num_heads not in (None, heads):
        raise UserError(
            f"{found.source} ({found.layout}) has {found.num_heads} attention heads, the model {heads}: choose its "
            "preset"
        )


def _patterns(left: Sequence[Difference]) -> str:
    """Patterns that would name the first of the keys."""
    found = list(dict.fromkeys(re.sub(r"\.(weight|bias)$", ".*", one.key) for one in left))
    return ", ".join(found[:4]) + (", ..." if len(found) > 4 else "")
