"""``vjepa features``: what an encoder makes of the clips of a split, as one file for other tools."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from experiments.evaluation.command import RUN_HELP
from experiments.named_options import named_options, words
from vjepa.errors import UserError, unknown_name
from vjepa.storage import storage_error

if TYPE_CHECKING:
    from data_modules.base import ClipDataModule
    from experiments.evaluation.features.token_source import TokenSource
    from experiments.evaluation.features.written import ClipFeatures
    from experiments.evaluation.subjects import Subject
    from experiments.evaluation.views import View

FORMAT = "vjepa-features-1"
SPLITS = ("train", "val", "test")
WEIGHTS = ("teacher", "online", "init")


def main(options: Sequence[str]) -> int:
    """``vjepa features``."""
    from experiments.evaluation.features.written import FORMATS, POOLS, write_features

    known = _parser().parse_args(list(options))
    out = Path(known.out)
    kind = _one_of(
        "format", known.format or out.suffix[1:].lower(), FORMATS, "" if known.format else f"of --out {out}:"
    )
    _one_of("split", known.split, SPLITS)
    _one_of("pool", known.pool, POOLS)
    _one_of("weights", known.weights or WEIGHTS[0], WEIGHTS)
    if known.num_clips is not None and known.num_clips < 1:
        raise UserError(f"--num-clips is {known.num_clips}: expected 1 or more")
    features = _features(known, out)
    from tqdm import tqdm

    total = len(features.source) * len(features.views)
    with tqdm(total=total, desc=str(out), unit="clip", leave=False) as bar:
        write_features(out, features, kind, bar.update)
    shapes = ", ".join(f"{view.name} {' x '.join(map(str, features.shape(view)))}" for view in features.views)
    print(f"{out}: {len(features.source):,} clips, {shapes}; {out.stat().st_size / 2**20:.2f} MiB")
    return 0


_Name = TypeVar("_Name", bound=str)


def _one_of(what: str, value: str, allowed: Sequence[_Name], where: str = "") -> _Name:
    for one in allowed:
        if value == one:
            return one
    raise unknown_name(f"{what} {where}".strip(), value, allowed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "vjepa features", description="Write what an encoder makes of the clips of a split, for other tools."
    )
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument(
        "--data", "--benchmark", metavar="NAME[:KEY=VALUE,...]",
        help="ucf101, ssv2, diving48, imagenet100, glyphs, ... (what the run saw)",
    )  # fmt: skip
    parser.add_argument("--split", default="test", help="train, val or test (%(default)s)")
    parser.add_argument(
        "--pool", default="mean", help="mean: one vector; time: one a time step; tokens: all (%(default)s)"
    )
    parser.add_argument(
        "--subspaces", default="whole", help="comma-separated: whole, levels, within_level.app, ... (%(default)s)"
    )
    parser.add_argument("--weights", help="teacher, online or init (those that the run's reading evaluates)")
    parser.add_argument("--format", help="npz or parquet (by the name of the file)")
    parser.add_argument("--out", required=True, metavar="FILE", help="file to write; one that is there gives way")
    parser.add_argument("--num-clips", type=int, help="most clips, a fixed subset (all)")
    parser.add_argument("--device", default=None, help="cpu, cuda, cuda:1, ... (a GPU where there is one)")
    parser.add_argument("--cache", help="folder of cached features")
    return parser


def _features(known: argparse.Namespace, out: Path) -> ClipFeatures:
    """Everything that can be refused is, before the first clip is encoded."""
    from experiments.evaluation.benchmarks import feature_folder, open_benchmarks
    from experiments.evaluation.features.cache import DataKey, FeatureCache
    from experiments.evaluation.features.reading import choose_indices
    from experiments.evaluation.features.sources import make_source
    from experiments.evaluation.features.written import ClipFeatures
    from experiments.evaluation.plan import EvaluationPlan

    subject, trained_on = _subject(known)
    views = _views(subject, words(known.subspaces))
    benchmarks = dict([named_options(known.data, "--data")]) if known.data else None
    (data,) = open_benchmarks(benchmarks, trained_on)
    _check_out(out)
    dataset = data.dataset(known.split)
    chosen = choose_indices(dataset, known.num_clips)
    source = make_source(
        subject,
        dataset,
        chosen,
        needs_tokens=known.pool == "tokens",
        token_views=views if known.pool == "tokens" else None,
        cache=FeatureCache(feature_folder(known.cache), DataKey.of(data)),
        batch_size=EvaluationPlan().clips_at_a_time(data),
        num_workers=data.num_workers,
    )
    return ClipFeatures(source, dataset, known.pool, views, _facts(known, subject, data, source))


def _subject(known: argparse.Namespace) -> tuple[Subject, ClipDataModule | None]:
    """The encoder, and the data that it was trained on."""
    import torch

    from experiments.checkpoints import read_step
    from experiments.evaluation.external import external_subjects, is_external, open_external
    from experiments.evaluation.from_model import model_subject
    from experiments.evaluation.runs import check_device, label_of
    from experiments.load import instantiate, load_model, pretraining_stamp
    from experiments.runs import open_run

    device = known.device or ("cuda" if torch.cuda.is_available() else "cpu")
    check_device(device)
    if is_external(known.run):
        if not known.data:
            raise UserError(f"{known.run} was trained on no data of this project: name what to show it, --data NAME")
        if known.weights:
            raise UserError(f"--weights {known.weights}: {known.run} has one set of weights; leave the option out")
        return external_subjects(open_external(known.run), device, controls=False)[0], None
    run = open_run(Path(known.run))
    model = load_model(run).to(device)
    stamp = pretraining_stamp(run, model, read_step(run.last_checkpoint))
    return (
        model_subject(model, stamp, label_of(run), known.weights),
        instantiate(run.settings, "data", str(run.config)),
    )


def _views(subject: Subject, names: Sequence[str]) -> tuple[View, ...]:
    from experiments.evaluation.views import named

    have = [view.name for view in subject.views]
    for name in names:
        if name not in have:
            raise unknown_name(f"subspace of {subject.label}:", name, have)
    if not names:
        raise UserError(f"--subspaces is empty: expected some of {', '.join(have)}")
    return tuple(named(subject.views, name) for name in dict.fromkeys(names))


def _check_out(out: Path) -> None:
    if out.is_dir():
        raise UserError(f"--out {out} is a folder; name a file in it")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out.parent).close()
    except OSError as error:
        raise storage_error(out, error) from error


def _facts(known: argparse.Namespace, subject: Subject, data: ClipDataModule, source: TokenSource) -> dict[str, Any]:
    """What made the features: encoder, clips, code and packages."""
    from experiments.environment import package_versions
    from experiments.evaluation.features.cache import DataKey
    from experiments.results import git_revision
    from vjepa.storage import digest, digest_json

    clips = {**vars(DataKey.of(data)), "split": known.split}
    asked = [FORMAT, clips, digest(source.index.numpy().tobytes()), known.pool, words(known.subspaces)]
    # Only encoders of transformers depend on it.
    further = {"transformers": version("transformers")} if "transformers" in sys.modules else {}
    return {
        "format": FORMAT,
        "encoder": {**vars(subject.stamp), "digest": subject.digest},
        "clips": clips,
        "classes": {task.name: list(task.classes) for task in data.tasks},
        "num_clips": len(source),
        "num_broken": len(source.excluded),
        "protocol_hash": digest_json(asked),
        "config_hash": subject.stamp.config_hash,
        "git_revision": git_revision(),
        "versions": package_versions() | further,
    }
