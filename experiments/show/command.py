"""``vjepa show``: pictures of trained encoders before clips, as PNG and GIF files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.named_options import named_options, words
from vjepa.errors import UserError, unknown_name

PICTURES = ("pca", "masks", "motion", "attention", "neighbours", "similarity", "rank")
WEIGHTS = ("teacher", "online", "init")


def main(options: Sequence[str]) -> int:
    """``vjepa show``."""
    known = _parser().parse_args(list(options))
    names = words(known.pictures)
    for name in names:
        if name not in PICTURES:
            raise unknown_name("picture", name, PICTURES)
    if known.num_gallery < 1:
        raise UserError(f"--num-gallery {known.num_gallery}: expected 1 clip or more")
    runs, clips = sorted_words(known.words)
    if not clips and names != ("rank",):
        raise UserError(f"no clip among {' '.join(known.words)}: give a video file after the runs")

    from experiments.show.write import ShowOptions, show

    limits = None if known.num_train is None and known.num_val is None else (known.num_train, known.num_val)
    show(
        runs,
        clips,
        Path(known.out),
        names,
        ShowOptions(
            weights=known.weights,
            benchmark=named_options(known.benchmark, "--benchmark") if known.benchmark else None,
            num_gallery=known.num_gallery,
            limits=limits,
            cache=known.cache,
            device=known.device,
            tensorboard=known.tensorboard,
        ),
    )
    return 0


def sorted_words(words: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """Runs (folders, or exported encoders) and clips (any other file).

    Raises:
        UserError: there is no run, or a word is neither a folder nor a file.
    """
    paths = [Path(word) for word in words]
    runs = [path for path in paths if path.is_dir() or path.suffix == ".safetensors"]
    clips = [path for path in paths if path not in runs]
    for path in clips:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; expected folders of finished runs, then video files")
    if not runs:
        raise UserError(f"no run among {' '.join(words)}: give the folder of a finished run, then video files")
    return runs, clips


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "vjepa show", description="Pictures of encoders before clips, as PNG and GIF; docs/gallery.md shows them."
    )
    parser.add_argument(
        "words", nargs="+", metavar="RUN|CLIP",
        help="folders of finished runs, or files of vjepa export; then video or image files",
    )  # fmt: skip
    parser.add_argument("--out", required=True, help="folder of the pictures: FOLDER/CLIP/PICTURE.png, .gif")
    parser.add_argument("--pictures", default=",".join(PICTURES), help="comma-separated (%(default)s)")
    parser.add_argument("--weights", choices=WEIGHTS, help="(those that the run's reading evaluates)")
    parser.add_argument(
        "--benchmark", metavar="NAME[:KEY=VALUE,...]", help="of neighbours and stored probes (what each run saw)"
    )
    parser.add_argument("--num-gallery", type=int, default=256, help="clips among which neighbours are (%(default)s)")
    for split in ("train", "val"):
        parser.add_argument(f"--num-{split}", type=int, help="as given to the vjepa probe that fitted the probes")
    parser.add_argument("--cache", help="folder of cached features and probes")
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (a GPU where there is one)")
    parser.add_argument("--tensorboard", action="store_true", help="write them into the event files of each run, too")
    return parser
