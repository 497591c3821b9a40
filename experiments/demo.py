"""The whole job at small scale: real video files, pretraining, probes with controls, corruptions, report."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from data_modules import GlyphsDataModule
from experiments.overlays import BASE, CONFIGS
from experiments.study import announce, run_study
from experiments.study_plan import Study

CAVEATS = (
    "One pretraining seed: nothing here says that one variant trains better than another.",
    "The demo trains for a small part of the steps of configs/study/glyphs.yaml; the gap to random initialisation "
    "that docs/benchmark.md measures over several seeds needs all of them (make study).",
    "The robustness table is a smoke profile of three corruptions at one severity, not the protocol rob-v1.",
)


def main(options: Sequence[str]) -> int:
    """``vjepa demo``."""
    parser = argparse.ArgumentParser("vjepa demo", description=__doc__)
    parser.add_argument("--out", default="runs/demo", help="folder of runs, evaluation and report (%(default)s)")
    parser.add_argument("--steps", type=int, default=500, help="optimizer steps of each run (%(default)s)")
    parser.add_argument("--train-clips", type=int, default=2048, help="clips to train on (%(default)s)")
    parser.add_argument("--test-clips", type=int, default=1024, help="clips to test on (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--probes", default="linear_time,attentive_quick", help="probe protocols (%(default)s)")
    known = parser.parse_args(list(options))
    started = time.monotonic()
    data = {
        "train_clips": known.train_clips,
        "val_clips": max(64, known.test_clips // 2),
        "test_clips": known.test_clips,
    }
    study = Study(
        title="Demo: factorized and non-factorized Video-JEPA on moving glyphs",
        configs=(str(BASE), str(CONFIGS / "study" / "glyphs.yaml"), str(CONFIGS / "demo.yaml")),
        variants=("baseline", "fwm_hw_ld"),
        readings=("as_described",),
        seeds=(known.seed,),
        out=known.out,
        extra=(
            *(f"--data.init_args.{name}={count}" for name, count in data.items()),
            f"--trainer.max_steps={known.steps}",
        ),
        probes=tuple(known.probes.split(",")),
        command=f"make demo  (vjepa demo --steps {known.steps} --seed {known.seed})",
        caveats=CAVEATS,
    )
    announce("data: moving glyphs as H.264 files, written once, checked, read back by the decoder")
    glyphs = GlyphsDataModule(**data)
    glyphs.prepare_data()
    glyphs.setup(None)
    print(f"  {sum(data.values())} clips in {glyphs.store.folder}, manifest {glyphs.manifest_hash[:12]}")
    run_study(study)
    print(
        f"the demo took {time.monotonic() - started:.0f} s; its n is {len(study.seeds)} seed and "
        f"{known.test_clips // 2} test clips per kind: read it as a tour, not as a result"
    )
    print(f"open {Path(known.out) / 'report.html'}")
    return 0
