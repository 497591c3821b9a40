"""Named probe protocols: all that must be equal for two results to be comparable."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property

from experiments.probes.attentive import AttentiveSettings
from experiments.probes.knn import KnnSettings
from experiments.probes.labelled import Reads
from experiments.probes.linear import LinearSettings
from experiments.probes.study import StudySettings
from vjepa.errors import unknown_name
from vjepa.storage import digest_json

Settings = LinearSettings | AttentiveSettings | KnnSettings | StudySettings


@dataclass(frozen=True)
class ProbeProtocol:
    """A probe and the settings it is fitted with.

    Args:
        name: as printed in results.
        settings: which probe, and how; part of the hash.
    """

    name: str
    settings: Settings

    @property
    def reads(self) -> Reads:
        """What the probe reads of a clip."""
        return self.settings.reads

    @cached_property
    def hash(self) -> str:
        """Digest of name, kind and every setting."""
        return digest_json([self.name, type(self.settings).__name__, asdict(self.settings)])


PROTOCOLS: dict[str, ProbeProtocol] = {
    protocol.name: protocol
    for protocol in (
        ProbeProtocol("linear_time", LinearSettings(pooling="time")),
        ProbeProtocol("linear_mean", LinearSettings(pooling="mean")),
        ProbeProtocol("attentive", AttentiveSettings()),
        ProbeProtocol(
            "attentive_quick",
            AttentiveSettings(mlp_ratio=0.0, learning_rates=(3e-3, 1e-2), weight_decays=(0.05,), num_steps=400),
        ),
        ProbeProtocol("knn", KnnSettings()),
        # The study's own. They choose nothing, warm nothing up and may collapse: report them beside an honest one.
        ProbeProtocol("study_attentive", StudySettings()),
        ProbeProtocol("study_attentive_50_epochs", StudySettings(num_epochs=50)),
        ProbeProtocol("study_attentive_ucf101", StudySettings(learning_rate=3e-4)),
        ProbeProtocol("study_attentive_synth", StudySettings(learning_rate=3e-4, batch_size=32)),
        ProbeProtocol("study_attentive_katha", StudySettings(num_epochs=50, batch_size=32)),
        ProbeProtocol("study_pooled_attentive", StudySettings(reads="mean")),
        ProbeProtocol("study_pooled_attentive_50_epochs", StudySettings(reads="mean", num_epochs=50)),
        ProbeProtocol("study_linear_mean", StudySettings("mean", "linear", num_epochs=50, batch_size=256)),
    )
}


def protocol(name: str) -> ProbeProtocol:
    """Look a protocol up.

    Raises:
        UserError: the name is unknown; the nearest one is suggested.
    """
    if name not in PROTOCOLS:
        raise unknown_name("probe", name, PROTOCOLS)
    return PROTOCOLS[name]
