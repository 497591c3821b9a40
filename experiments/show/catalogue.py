"""What can be shown of an encoder before a clip: from a clip and weights to the arrays that are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from experiments.evaluation.encoded import encode
from experiments.evaluation.plan import EvaluationPlan
from experiments.evaluation.stored import stored_probes
from experiments.evaluation.views import WHOLE, named
from experiments.pictures import feature_panels, mask_panels, motion_panels, principal_colours
from experiments.pictures.attention import Answer, attention_panels
from experiments.pictures.latent import latent_halves, latent_parts
from experiments.pictures.neighbours import Asked, draw_neighbours
from experiments.pictures.sheets import Sheet, stacked
from experiments.pictures.similarity import draw_similarity
from experiments.probes import PROTOCOLS
from experiments.probes.attentive import AttentiveProbe, AttentiveSettings
from experiments.show.sitting import Sitting
from vjepa.errors import UserError
from vjepa.motion import motion_map, normalize_motion

SEVERITY = 3
CORRUPTIONS = ("gaussian_noise", "defocus_blur", "temporal_blur", "h264_crf")
"""Of rob-v1, two that act on frames, one on time and one on the stream."""
NUM_NEIGHBOURS = 5
ATTENTIVE = tuple(name for name, one in PROTOCOLS.items() if isinstance(one.settings, AttentiveSettings))


def pca(sitting: Sitting) -> Sheet:
    """First three principal components of the patch features as red, green and blue, one basis over the whole clip."""
    rows = []
    for title, part in latent_parts(sitting.encoded.tokens, sitting.encoder.model.layout).items():
        colours = principal_colours(sitting.on_grid(part)[None])
        rows.append((title, colours.pixels[0], colours.explained))
    return Sheet.of_panels(partial(feature_panels, sitting.frames, rows), sitting.grid.time)


def masks(sitting: Sitting) -> Sheet:
    """What each mask of the run's masker shows to the encoder, and its targets in blue, at the step of the weights."""
    model, step = sitting.encoder.model, sitting.encoder.subject.stamp.step
    drawn = model.masks(sitting.grid, 1, step=step, pixels=sitting.pixels, held_out=True).to("cpu")
    chosen = [(c[0].numpy(), t[0].numpy()) for c, t in zip(drawn.context, drawn.target, strict=True)]
    make = partial(mask_panels, sitting.frames, sitting.grid, chosen)
    return Sheet.of_panels(make, sitting.grid.time)


def motion(sitting: Sitting) -> Sheet:
    """The motion map that guided masks follow: mean change of the pixels of each token, dark where nothing moves."""
    found = normalize_motion(motion_map(sitting.pixels, sitting.grid, "area"), "per_sample")
    return Sheet.of_panels(partial(motion_panels, sitting.frames, found[0].cpu().numpy()), sitting.grid.time)


def attention(sitting: Sitting) -> Sheet:
    """Where the attentive probe of each task looks, mean over its heads, with what it says of the clip."""
    kind, said = answers(sitting)
    legend = f"probe: {kind}, mean over heads; each task bright at its own peak"
    return Sheet.of_panels(partial(attention_panels, sitting.frames, said), sitting.grid.time).under([legend])


def answers(sitting: Sitting) -> tuple[str, list[Answer]]:
    """What the stored attentive probes of an encoder are, and what they say of the clip.

    Raises:
        UserError: none was fitted, or the data of the encoder are not here.
    """
    encoder, data = sitting.encoder, sitting.gallery.data(sitting.encoder)
    limits = [sitting.limits] if sitting.limits else [encoder.tested_limits, (None, None)]
    plans = [EvaluationPlan(ATTENTIVE, num_train=n, num_val=m) for n, m in dict.fromkeys(limits)]
    found = stored_probes(encoder.subject, data, plans, sitting.cache_folder)
    if not found:
        raise UserError(
            f"no attentive probe of {encoder.label} on {data.name} is stored: fit it with vjepa probe RUN --probes "
            "attentive, and repeat --num-train, --num-val and --cache where you gave them"
        )
    seen, made = sitting.encoded.part(named(encoder.subject.views, WHOLE)), []
    for fitted in found:
        assert isinstance(fitted.probe, AttentiveProbe)
        task = data.tasks[fitted.column]
        shares = fitted.logits(seen)[0].softmax(-1)
        best = int(shares.argmax())
        said, looks = task.classes[best].replace("_", " "), sitting.on_grid(fitted.probe.attention(seen))
        made.append(Answer(task.name, said, float(shares[best]), fitted.val_top1, looks))
    return f"{found[0].protocol.name} on {data.name}", made


def neighbours(sitting: Sitting) -> Sheet:
    """The nearest clips of a gallery by mean features, to the clip as it is and under corruptions of severity 3."""
    bank = sitting.gallery.bank(sitting.encoder, sitting.cache_folder)
    whole = named(sitting.encoder.subject.views, WHOLE)
    shown = {"clean": sitting.clip.frames}
    shown |= {f"{name.replace('_', ' ')} {SEVERITY}": sitting.clip.under(name, SEVERITY) for name in CORRUPTIONS}
    asked = []
    for condition, frames in shown.items():
        query = encode(sitting.encoder.subject.encoder, frames).part(whole).mean.cpu()
        found = bank.nearest(query, NUM_NEIGHBOURS)
        near = tuple(bank.neighbour(place, cos, sitting.frames) for place, cos in found)
        asked.append(Asked(condition, frames[0].numpy(), near))
    moving = draw_neighbours(asked)
    return Sheet(moving[len(moving) // 2], moving).under([bank.legend])


def similarity(sittings: Sequence[Sitting]) -> Sheet:
    """Cosine similarity of any two time steps, by spatially pooled z_app and z_dyn; one scale for all encoders.

    A latent that is not divided is shown by the same division, as its control.
    """
    rows = [latent_halves(one.encoded.tokens[0], one.encoder.model.layout, one.encoder.label) for one in sittings]
    return Sheet(draw_similarity(rows, len(sittings[0].frames), [one.legend for one in sittings]))


EACH: Mapping[str, Callable[[Sitting], Sheet]] = {
    one.__name__: one for one in (pca, masks, motion, attention, neighbours)
}
"""Pictures of one encoder before one clip, by name; ``similarity`` is of all encoders."""


def draw(name: str, sittings: Sequence[Sitting], leave_out: Callable[[str], object]) -> Sheet | None:
    """A picture of encoders before one clip, below one another over their legends; equal ones stand once.

    Args:
        name: of the picture.
        sittings: one or more, of one clip.
        leave_out: called with the reason for each that cannot be drawn.

    Returns:
        None where none can be drawn.
    """
    if name == similarity.__name__:
        return similarity(sittings)
    legends: dict[bytes, list[str]] = {}
    sheets: dict[bytes, Sheet] = {}
    for sitting in sittings:
        try:
            sheet = EACH[name](sitting)
        except UserError as reason:
            leave_out(f"{name}: {reason}")
            continue
        key = sheet.still.tobytes()
        sheets[key] = sheet
        legends.setdefault(key, []).append(sitting.legend)
    return stacked([sheet.under(legends[key]) for key, sheet in sheets.items()]) if sheets else None
