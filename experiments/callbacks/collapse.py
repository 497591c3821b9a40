"""Numbers that show a collapse while it happens."""

from __future__ import annotations

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from vjepa.errors import UserError
from vjepa.latents import Latents
from vjepa.layout import NUM_LEVELS
from vjepa.metrics.rank import feature_std, rankme
from vjepa.module import VideoJEPA


class CollapseMonitor(Callback):
    """Log effective rank, spread, mask sizes and gradient norms at every logging step.

    Logs ``collapse/rankme`` and ``collapse/feature_std`` of the last level on the context, ``collapse/target_rankme``
    and ``collapse/target_variance`` of the targets, ``masks/context_tokens_<m>``, ``masks/target_tokens_<m>``, and
    ``gradients/<module>`` norms. The targets are normalised per token, so their variance over tokens (not over
    channels) is what shrinks in a collapse.

    Args:
        max_tokens: tokens that enter the rank, >= 2; the cost grows with it.
    """

    def __init__(self, max_tokens: int = 512) -> None:
        if max_tokens < 2:
            raise UserError(f"collapse.max_tokens {max_tokens}: expected at least 2")
        self.max_tokens = max_tokens

    def diagnostics(self, latents: Latents) -> dict[str, float | Tensor]:
        """Rank, spread and mask sizes of one step."""
        context = self._rows(latents.context[0])
        targets = self._rows(latents.targets)
        values: dict[str, float | Tensor] = {
            "collapse/rankme": rankme(context),
            "collapse/feature_std": feature_std(context),
            "collapse/target_rankme": rankme(targets),
            "collapse/target_variance": targets.float().var(dim=0).mean(),
        }
        for number, (visible, hidden) in enumerate(zip(latents.masks.context, latents.masks.target, strict=True)):
            values[f"masks/context_tokens_{number}"] = float(visible.shape[1])
            values[f"masks/target_tokens_{number}"] = float(hidden.shape[1])
        return values

    def _rows(self, levels: Tensor) -> Tensor:
        """Last level of evenly spread tokens: (B, K, D) -> (n, E)."""
        rows = levels.unflatten(-1, (NUM_LEVELS, -1))[..., -1, :].flatten(0, 1)
        return rows[:: max(1, len(rows) // self.max_tokens)][: self.max_tokens]

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Note what the module kept of this step, and the gradient norm of the encoder, the predictor and each head."""
        if not (isinstance(pl_module, VideoJEPA) and pl_module.latest is not None):
            return
        pl_module.notes.add(self.diagnostics(pl_module.latest))
        parts: dict[str, torch.nn.Module] = {"encoder": pl_module.encoder, "predictor": pl_module.predictor}
        parts |= {f"head_{name}": term for name, term in pl_module.terms.items()}
        norms = {}
        for name, part in parts.items():
            gradients = [p.grad for p in part.parameters() if p.grad is not None]
            if gradients:
                norms[f"gradients/{name}"] = torch.nn.utils.get_total_norm(gradients)
        pl_module.notes.add(norms)
