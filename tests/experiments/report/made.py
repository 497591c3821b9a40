"""Findings of an ablation that never ran: every number follows from a seed and from the names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

import numpy as np

from experiments.report.findings import (
    PIXELS,
    RANDOM_INIT,
    Candidate,
    Cost,
    Findings,
    Level,
    Retained,
    Robustness,
)
from experiments.report.measures import Measure, Measures, collect_measures
from experiments.report.scalars import Scalars
from experiments.report.scores import collect_scores
from experiments.results import Row
from experiments.statistics import (
    Analysis,
    Comparison,
    Difference,
    Endpoint,
    Summary,
    VariantKey,
)
from experiments.statistics.types import FACTORIZED, WHOLE_LATENT

TASKS = ("appearance", "motion", "order")
FLOORS = {"appearance": 0.104, "motion": 0.131, "order": 0.172}
START = {"appearance": 0.21, "motion": 0.48, "order": 0.92}
CONTROL = {"appearance": 0.13, "motion": 0.17, "order": 0.78}
CORRUPTIONS = (
    *("gaussian_noise", "defocus_blur", "contrast", "fog", "occlusion_block"),
    *("frame_freeze", "frame_blackout", "frame_rate", "temporal_blur", "h264_crf", "packet_loss_sim"),
)
SMOKE = ("gaussian_noise", "frame_freeze", "h264_crf")
FACTORIZED_VARIANTS = ("fwm", "fwm_ld", "fwm_hw_ld", "fac")
PAIRS = {"fwm": "baseline", "fwm_ld": "ld", "fwm_hw_ld": "hw_ld", "fac": "ac"}
CORE = ("baseline", "fwm", "ld", "hw", "fwm_ld", "hw_ld", "fwm_hw_ld")
NUM_CLIPS = 1000
PRIMARY = (
    Endpoint("mPC", "glyphs", "linear_time", "points", "primary"),
    Endpoint("SSI", "glyphs", "within_level", "nats", "primary"),
)
ACCURACY = tuple(Endpoint("accuracy", f"glyphs/{task}", "linear_time", "points", "accuracy") for task in TASKS)
DESCRIPTIVE = tuple(Endpoint("accuracy", f"glyphs/{task}", "attentive", "points", "descriptive") for task in TASKS)


def draw(*names: object) -> float:
    """A standard normal number that belongs to these names."""
    return float(np.random.default_rng(crc32(repr(names).encode())).normal())


def make_row(**changes: object) -> Row:
    """A row of the baseline's teacher, with ``changes``."""
    columns: dict[str, object] = {
        "data": "glyphs", "regime": "glyphs", "variant": "baseline", "reading": "as_described", "layout": "whole",
        "seed": 0, "step": 2000, "weights": "teacher", "benchmark": "glyphs/motion", "split": "test",
        "probe": "linear_time", "subspace": "whole", "corruption": "none", "severity": 0, "metric": "top1",
        "value": 0.5, "n": NUM_CLIPS, "protocol_hash": "p", "config_hash": "c", "git_revision": "abc123",
        "versions": "torch 2",
    }  # fmt: skip
    return Row(**{**columns, **changes})  # type: ignore[arg-type]


def difference(mean: float, spread: float, seeds: int, unit: str = "points") -> Difference:
    """A difference with an interval of ``spread`` on both sides, none with one seed."""
    several = seeds > 1
    values = tuple(mean + spread * 0.3 * (k - (seeds - 1) / 2) for k in range(seeds))
    return Difference(
        mean, mean - spread if several else None, mean + spread if several else None, seeds, NUM_CLIPS, values,
        float(np.std(values, ddof=1)) if several else None, mean - 0.02, mean + 0.02, 0.95,
        math.exp(-abs(mean / spread) * 2) if several else None, mean - 0.7 * spread if several else None,
        mean + 0.8 * spread if several else None, 1.5 * spread if several else None,
        2.2 * spread if several else None, unit,
    )  # type: ignore[call-arg] # fmt: skip


def value_of(key: VariantKey, task: str) -> float:
    """Accuracy on a task."""
    if key in (PIXELS, RANDOM_INIT):
        return CONTROL[task]
    return min(0.97, START[task] + (0 if key.variant == "baseline" else 0.05 * draw(key, task)))


def make_findings(
    variants: Sequence[str] = CORE,
    readings: Sequence[str] = ("as_described",),
    seeds: int = 3,
    corrupted: bool = True,
    title: str = "Ablation on moving glyphs",
    corruptions: Sequence[str] = CORRUPTIONS,
) -> Findings:
    """Findings of ``variants`` in ``readings``; the first is the baseline."""
    keys = [VariantKey(variant, reading) for reading in readings for variant in variants]
    candidates = tuple(
        Candidate(
            key, 1 + list(variants).index(key.variant),
            "whole" if key.variant not in FACTORIZED_VARIANTS
            else ("within_level" if key.reading == "as_described" else "by_level"),
            "init" if key == ("kinematic", "as_released") else "teacher", tuple(range(seeds)),
        )
        for key in keys
    )  # fmt: skip
    rows = [row for key in (PIXELS, RANDOM_INIT, *keys) for row in _rows(key, seeds, candidates)]
    curves = {key: _curves(key, seeds) for key in keys}
    return Findings(
        title=title,
        candidates=candidates,
        scores=collect_scores(rows),
        measures=_measures(keys, candidates, rows, seeds, corrupted),
        analysis=make_analysis(keys, seeds, corrupted),
        robustness=_robustness(keys, seeds, corruptions) if corrupted else Robustness({}, {}, {}),
        curves=curves,
        costs={key: _cost(key) for key in keys},
        missing={"ld as_described seed 2": "training failed: the loss is not finite at step 310"},
        profile="core" if corrupted else "",
        primary_probe="linear_time",
        provenance={"data": "glyphs", "git revision": "abc123def456", "machine": "2 cores", "date": "2026-01-02"},
        config_hashes={f"{key.variant} {key.reading} seed {s}": "1111aaaa" for key in keys for s in range(seeds)},
        command="vjepa ablation --variants core --seeds 0,1,2 --out runs/core",
        board_command="tensorboard --logdir runs/core --host 127.0.0.1",
        caveats=("Glyphs are synthetic.",),
    )


def _rows(key: VariantKey, seeds: int, candidates: Sequence[Candidate]) -> list[Row]:
    weights = {PIXELS: "pixels", RANDOM_INIT: "init"}.get(key, "teacher")
    layout = next((candidate.layout for candidate in candidates if candidate.key == key), "whole")
    made = []
    for seed in range(1 if key == PIXELS else seeds):
        for task in TASKS:
            for probe, change in (("linear_time", 0.0), ("attentive", 0.04), ("knn", -0.05)):
                about = {
                    "variant": key.variant, "reading": key.reading, "layout": layout, "seed": seed,
                    "benchmark": f"glyphs/{task}", "probe": probe, "weights": weights,
                    "step": 0 if weights in ("init", "pixels") else 2000,
                }  # fmt: skip
                value = value_of(key, task) + change + 0.01 * draw(key, task, seed)
                constant = float(key.variant == "hw" and task == "appearance" and probe == "linear_time")
                made += [
                    make_row(**about, value=value),
                    make_row(**about, metric="majority_rate", value=FLOORS[task]),
                    make_row(**about, metric="constant_predictor", value=constant),
                ]
    return made


def _measures(
    keys: Sequence[VariantKey], candidates: Sequence[Candidate], rows: Sequence[Row], seeds: int, corrupted: bool
) -> Measures:
    found = collect_measures(rows)
    values = {key: dict(of) for key, of in found.values.items()}
    if not corrupted:
        return found
    for key in (PIXELS, RANDOM_INIT, *keys):
        number = range(1 if key == PIXELS else seeds)
        for task in TASKS:
            shrunk = 0.7 * value_of(key, task)
            values[key][Measure(f"glyphs/{task}", "mpc_core", "linear_time", "whole", "core")] = {
                seed: shrunk + 0.01 * draw(key, task, seed) for seed in number
            }
            if key != PIXELS:
                values[key][Measure(f"glyphs/{task}", "rpc_corrected_core", "linear_time", "whole", "core")] = {
                    seed: 0.6 + 0.03 * draw(key, task, seed) for seed in number
                }
        if key == PIXELS:
            continue
        for metric, mean in (("rankme", 40.0), ("participation_ratio", 12.0), ("dead_ratio", 0.0), ("lidar_core", 20)):
            summary = ("core", 0) if metric.endswith("core") else ("none", 0)
            values[key][Measure("glyphs", metric, "none", "whole", *summary)] = {
                seed: mean * (1 + 0.2 * draw(key, metric, seed)) for seed in number
            }
        for division in ("within_level", "by_level"):
            at = ("none", division, "core", 0)
            index = 0.3 * any(c.key == key and c.layout == division for c in candidates)
            for metric, mean in (("ssi", index), ("ssi_null_mean", 0.0), ("ssi_null_p95", 0.03), ("ssi_p", 0.2)):
                values[key][Measure("glyphs", f"{metric}_core", *at)] = {
                    seed: mean + 0.02 * draw(key, division, seed) * (metric == "ssi") for seed in number
                }
            for half, group, mean in (
                ("app", "spatial", 0.5), ("app", "temporal", 0.15), ("dyn", "spatial", 0.3), ("dyn", "temporal", 0.4),
            ):  # fmt: skip
                for name in (division, "random0", "random1", "random2"):
                    measure = Measure("glyphs", f"centred_drift_{group}_core", "none", f"{name}.{half}", "core", 0)
                    values[key][measure] = {
                        seed: mean + 0.03 * draw(key, half, group) + 0.005 * draw(key, name, half, seed)
                        for seed in number
                    }
    return Measures(values, {measure: NUM_CLIPS for of in values.values() for measure in of})


def make_analysis(keys: Sequence[VariantKey], seeds: int, corrupted: bool = True) -> Analysis:
    """Summaries and comparisons; a variant is significant if its invented difference is large."""
    endpoints = (*(PRIMARY if corrupted else ()), *ACCURACY, *DESCRIPTIVE)
    summaries, comparisons, controls = [], [], []
    for key in (PIXELS, RANDOM_INIT, *keys):
        for endpoint in endpoints:
            if endpoint.name == "SSI" and key == PIXELS:
                continue
            mean = _mean(key, endpoint)
            number = 1 if key == PIXELS else seeds
            spread = 0.02 if number > 1 else math.nan
            summaries.append(
                Summary(
                    key, endpoint, mean, mean - spread if number > 1 else None, mean + spread if number > 1 else None,
                    0.01 if number > 1 else None,
                    tuple(mean + 0.01 * draw(key, endpoint.name, s) for s in range(number)), number, NUM_CLIPS,
                    tuple(range(number)),
                )
            )  # fmt: skip
    for key in keys:
        baseline = VariantKey("baseline", key.reading)
        for endpoint in endpoints:
            if key != baseline:
                comparisons.append(compared(key, baseline, endpoint, seeds))
            controls.append(compared(key, RANDOM_INIT, endpoint, seeds))
    return Analysis(
        endpoints, (), tuple(summaries), tuple(comparisons), tuple(controls), _factorization(keys, endpoints, seeds),
        ("Other probes than the primary one are described only.",),
    )  # fmt: skip


def compared(treatment: VariantKey, control: VariantKey, endpoint: Endpoint, seeds: int) -> Comparison:
    """Treatment minus control by their invented means."""
    mean = _mean(treatment, endpoint) - _mean(control, endpoint)
    found = difference(mean, 0.03 + 0.02 * abs(draw(treatment, endpoint.name)), seeds, endpoint.unit)
    tested = endpoint.family != "descriptive" and found.p_value is not None
    p_holm = min(1.0, 4 * (found.p_value or 0)) if tested else None
    return Comparison(treatment, control, endpoint, found, p_holm, p_holm is not None and p_holm < 0.05)


def _factorization(keys: Sequence[VariantKey], endpoints: Sequence[Endpoint], seeds: int) -> tuple[Comparison, ...]:
    made = []
    for reading in dict.fromkeys(key.reading for key in keys):
        pairs = [
            (VariantKey(a, reading), VariantKey(b, reading))
            for a, b in PAIRS.items()
            if VariantKey(a, reading) in keys and VariantKey(b, reading) in keys
        ]
        for endpoint in endpoints if pairs else ():
            single = [replace(compared(a, b, endpoint, seeds), p_holm=None, significant=False) for a, b in pairs]
            mean = float(np.mean([comparison.difference.mean for comparison in single]))
            found = difference(mean, 0.025, seeds, endpoint.unit)
            p_holm = None if found.p_value is None or endpoint.family == "descriptive" else min(1.0, 2 * found.p_value)
            both = VariantKey(FACTORIZED, reading), VariantKey(WHOLE_LATENT, reading)
            made += [Comparison(*both, endpoint, found, p_holm, p_holm is not None and p_holm < 0.05), *single]
    return tuple(made)


def _mean(key: VariantKey, endpoint: Endpoint) -> float:
    if endpoint.name == "SSI":
        return 0.3 * (key.variant in FACTORIZED_VARIANTS) + 0.03 * draw(key, "ssi")
    if endpoint.name == "mPC":
        return 0.7 * float(np.mean([value_of(key, task) for task in TASKS]))
    task = endpoint.benchmark.rpartition("/")[2]
    return value_of(key, task) + 0.04 * (endpoint.probe == "attentive")


def _robustness(keys: Sequence[VariantKey], seeds: int, corruptions: Sequence[str]) -> Robustness:
    retained, accuracy, drift = {}, {}, {}
    half = 0.02 if seeds > 1 else math.nan
    for key in (PIXELS, RANDOM_INIT, *keys):
        for number, corruption in enumerate(corruptions):
            for task in TASKS:
                if value_of(key, task) - FLOORS[task] > 0.05:
                    value = 0.35 + 0.05 * number + 0.06 * draw(key, corruption, task)
                    apart = None if seeds == 1 or key.variant in ("baseline", "pixels") else abs(draw(key, task)) > 0.5
                    retained[key, f"glyphs/{task}", corruption] = Retained(value, apart)
                    retained[key, f"glyphs/{task}", "mean"] = Retained(0.6 + 0.05 * draw(key, task), apart)
            for severity in (0, 1, 3, 5):
                mean = float(np.mean([value_of(key, task) for task in TASKS]))
                mean = mean - severity * (0.05 - 0.003 * number) * (1 + 0.1 * draw(key, corruption))
                accuracy[key, "glyphs", corruption, severity] = Level(mean, mean - half, mean + half)
                moved = severity * 0.1 * (1 + 0.2 * draw(key, corruption))
                drift[key, "glyphs", corruption, severity] = Level(moved, moved - half, moved + half)
    return Robustness(retained, accuracy, drift)


def _curves(key: VariantKey, seeds: int) -> dict[str, list[Scalars]]:
    steps = tuple(range(50, 2550, 50))
    noise = [np.random.default_rng(crc32(repr((key, seed)).encode())).normal(size=50) for seed in range(seeds)]
    rank = 30 + 10 * draw(key)
    return {
        "collapse/rankme": [
            Scalars(steps, tuple(rank * (1 - math.exp(-s / 600)) + e for s, e in zip(steps, n, strict=True)))
            for n in noise
        ],
        "collapse/target_variance": [
            Scalars(steps, tuple(0.5 + 0.1 * math.exp(-s / 900) + 0.01 * e for s, e in zip(steps, n, strict=True)))
            for n in noise
        ],
    }


def _cost(key: VariantKey) -> Cost:
    ratio = 1.0 if key.variant == "baseline" else 1 + 0.3 * abs(draw(key, "cost"))
    return Cost(330 * ratio, 120.0, 2_400_000 + int(2e5 * (ratio - 1)), 2500, ratio, 1.2e9)
