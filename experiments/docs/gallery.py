"""docs/gallery.md and its pictures: what ``vjepa show`` draws of the teachers that ship, before one embedded clip."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

from vjepa.errors import UserError
from vjepa.storage import atomic_write_bytes

CLIP = 2
"""Number of the test clip of moving glyphs."""
SIZES: Mapping[str, int] = {}
"""Clips of its splits, where they are not those of the benchmark."""
PROBE, NUM_TRAIN, NUM_VAL = "attentive_quick", 2048, 512
STEPS = 400
"""Of the two runs whose rank is shown."""
NUM_COLOURS = 128
_MARKS = re.compile(r"(<!-- begin pictures\b[^>]*-->\n).*?(<!-- end pictures -->)", flags=re.DOTALL)


@dataclass(frozen=True)
class Exhibit:
    """A picture of the page.

    Args:
        name: of the picture, as ``vjepa show --pictures`` takes it.
        title: heading.
        endings: of its files.
        reading: what there is to see, beside the docstring of the picture.
    """

    name: str
    title: str
    endings: tuple[str, ...]
    reading: str


EXHIBITS = (
    Exhibit(
        "pca", "PCA of patch features over time", ("png", "gif"),
        "A factorized run has z_app and z_dyn below the features that evaluation reads. Colours mean nothing across "
        "rows; where they change with time, and where they stay, does.",
    ),
    Exhibit(
        "masks", "Masks", ("gif",),
        "The context is left as it is, targets are blue, and grey tokens are neither. Equal pictures stand once, over "
        "the legends of all: these teachers had one masker.",
    ),
    Exhibit(
        "motion", "Motion map", ("gif",),
        "Bright where a token moves most: there `motion_guided` places its masks.",
    ),
    Exhibit(
        "attention", "Attention of the attentive probe", ("png", "gif"),
        "Each row is the probe of one task: its answer and the probability of that, its accuracy on validation clips, "
        "and how much more than a uniform share the brightest token gets.",
    ),
    Exhibit(
        "neighbours", "Nearest neighbours under corruption", ("png",),
        "A blue square marks neighbours that the clean clip has too, a yellow one those that only the damage brings. "
        "`vjepa show` writes the moving thumbnails as GIF, too.",
    ),
    Exhibit(
        "similarity", "Similarity of z_app and z_dyn over time", ("png",),
        "The baseline is not factorized: its row is the control, the same division of a latent that knows nothing of "
        "it.",
    ),
    Exhibit(
        "rank", "Effective rank while training", ("png",),
        "A value that falls towards 0 is a collapse. The files of the teachers hold no training log, so these are two "
        f"short runs of the same variants, {STEPS} steps each.",
    ),
)  # fmt: skip


def gallery_page(page: str) -> str:
    """The page with its pictures; all other text is kept.

    Args:
        page: text in which ``<!-- begin pictures ... -->`` and ``<!-- end pictures -->`` stand once.

    Raises:
        UserError: the marks are missing.
    """
    if len(_MARKS.findall(page)) != 1:
        raise UserError("docs/gallery.md: expected <!-- begin pictures --> and <!-- end pictures --> once")
    listed = "\n".join(_section(exhibit) for exhibit in EXHIBITS)
    return _MARKS.sub(lambda found: f"{found[1]}\n{listed}\n{found[2]}", page)


def _section(exhibit: Exhibit) -> str:
    from experiments.docs.docstrings import parse
    from experiments.show.write import documented

    doc = parse(documented(exhibit.name))
    images = "\n\n".join(f"![{exhibit.title}](images/gallery/{exhibit.name}.{ending})" for ending in exhibit.endings)
    text = fill(f"`--pictures {exhibit.name}`: {doc.summary} {exhibit.reading}", 120, break_on_hyphens=False)
    return f"## {exhibit.title}\n\n{text}\n\n{images}\n"


def draw_gallery(folder: Path) -> None:
    """Draw the pictures of the page: fits the probes and trains the two short runs, unless the cache has them.

    Args:
        folder: of the pictures.
    """
    from data_modules import GlyphsDataModule
    from experiments.evaluation.benchmarks import feature_folder
    from experiments.evaluation.plan import EvaluationPlan
    from experiments.evaluation.stored import probe_fitter
    from experiments.shipped import FOLDER, TEACHERS
    from experiments.show.clip import read_shown
    from experiments.show.encoders import load_encoder
    from experiments.show.gallery import Gallery
    from experiments.show.sitting import Sitting
    from experiments.show.write import draw_clip, draw_rank

    glyphs = GlyphsDataModule(**SIZES)  # type: ignore[arg-type]
    glyphs.prepare_data()
    encoders = [load_encoder(FOLDER / f"{name}.safetensors") for name in TEACHERS]
    fitter = probe_fitter(glyphs, EvaluationPlan((PROBE,), num_train=NUM_TRAIN, num_val=NUM_VAL), feature_folder())
    for encoder in encoders:
        fitter.fit(encoder.subject, complete=False)
    path = glyphs.store.path("test", CLIP)
    clip, gallery, limits = (
        read_shown(path, **encoders[0].clip_shape),
        Gallery((glyphs.name, SIZES)),
        (NUM_TRAIN, NUM_VAL),
    )
    sittings = [Sitting(encoder, clip, gallery, limits, feature_folder()) for encoder in encoders]
    sheets = draw_clip(sittings, [exhibit.name for exhibit in EXHIBITS], print)
    sheets |= draw_rank([load_encoder(run) for run in _short_runs()], print)
    for exhibit in EXHIBITS:
        files = sheets[exhibit.name].files(exhibit.name, NUM_COLOURS)
        for name in (f"{exhibit.name}.{ending}" for ending in exhibit.endings):
            atomic_write_bytes(folder / name, files[name])
            print(f"{folder / name}: {len(files[name]) / 1000:.0f} kB")


def _short_runs() -> Sequence[Path]:
    """Folders of a short run of each variant that ships, trained if they are not in the cache."""
    from data_modules.generated.cache import cache_root
    from experiments.overlays import BASE, CONFIGS, objective_overlay
    from experiments.shipped import TEACHERS
    from experiments.training.fit import run_lightning
    from experiments.training.resolve import resolve_run

    folders = []
    for name in TEACHERS:
        files = [BASE, CONFIGS / "study" / "glyphs.yaml", objective_overlay(name)]
        words = [word for file in files for word in ("--config", str(file))]
        words += [f"--trainer.{option}" for option in (f"max_steps={STEPS}", "log_every_n_steps=10", "accelerator=cpu")]
        words += ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false"]
        words += [f"--data.init_args.{option}={value}" for option, value in SIZES.items()]
        words += [f"--run.root={cache_root() / 'gallery'}"]
        run_lightning("fit", words)
        folders.append(resolve_run(words).folder)
    return folders
