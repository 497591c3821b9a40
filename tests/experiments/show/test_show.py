"""``vjepa show`` on a real run and a real file: every picture, looked at pixel by pixel."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import IMAGES, EventAccumulator

from data_modules.decode.frames import decode_video
from experiments.cli import BAD_INPUT, DONE, main
from experiments.shipped import FOLDER
from experiments.show.command import PICTURES, sorted_words
from experiments.show.write import folders_of
from tests.experiments.show.conftest import LIMITS, Stage, write_square

BASELINE, FACTORIZED = (str(FOLDER / f"{name}.safetensors") for name in ("baseline", "fwm_hw_ld"))
MOVING = {"pca", "masks", "motion", "attention", "neighbours"}
CHEAP = ("--pictures", "pca,masks,motion,similarity")


def frames_of(path: Path) -> list[np.ndarray]:
    image, frames = Image.open(path), []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        frames.append(np.asarray(image.convert("RGB")).astype(int))
    return frames


@pytest.fixture(scope="module")
def drawn(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All pictures of the run before the clip, in TensorBoard, too."""
    out = tmp_path_factory.mktemp("out")
    options = (*LIMITS, "--num-gallery", "12", "--tensorboard")
    assert main(["show", str(stage.run.folder), str(stage.clip), "--out", str(out), *options]) == DONE
    return out


def test_every_picture_is_written_and_what_moves_has_every_frame(drawn: Path) -> None:
    stills = {path.stem: frames_of(path) for path in drawn.rglob("*.png")}
    moving = {path.stem: frames_of(path) for path in drawn.rglob("*.gif")}
    assert set(stills) == set(PICTURES) and set(moving) == MOVING
    assert {path.parent.name for path in drawn.rglob("*.gif")} == {"square"} and (drawn / "rank.png").is_file()
    assert all(len(frames) == 8 and frames[0].shape[1] >= 480 for frames in moving.values())
    # Four time steps of 96 pixels right of the text; the clip, features, z_app and z_dyn below one another.
    (pca,) = stills["pca"]
    assert pca.shape[0] >= 4 * 102 and pca.shape[1] >= 124 + 4 * 102


def test_the_same_is_in_the_event_files_of_the_run(drawn: Path, stage: Stage) -> None:
    found = {}
    for path in stage.run.folder.glob("events.out.tfevents.*"):
        events = EventAccumulator(str(path), size_guidance={IMAGES: 0}).Reload()
        found |= {tag: events.Images(tag) for tag in events.Tags()["images"] if tag.startswith("show/")}
    assert set(found) == {"show/rank", *(f"show/square/{name}" for name in PICTURES if name != "rank")}
    assert all(event.step == 4 for events in found.values() for event in events)
    for name in MOVING:
        (event,) = found[f"show/square/{name}"]
        assert event.encoded_image_string == (drawn / "square" / f"{name}.gif").read_bytes()


def test_motion_is_bright_where_the_square_moves(drawn: Path) -> None:
    frames = frames_of(drawn / "square" / "motion.gif")
    top = 10 + 2 * 16 + 4  # a gap, two lines of text
    for frame in frames:
        heat = frame[top : top + 160, 180:340].sum(axis=-1)
        assert heat[:80].max() > 2 * heat[80:].max(), "the lower half is still"
    places = [frame[top : top + 80, 180:340].sum(axis=(0, 2)) @ np.arange(160) for frame in frames]
    weights = [frame[top : top + 80, 180:340].sum() for frame in frames]
    centres = [place / weight for place, weight in zip(places, weights, strict=True)]
    assert centres[-1] > centres[0] + 10, "it moves to the right"


def test_the_clip_stands_beside_what_is_made_of_it(drawn: Path, stage: Stage) -> None:
    clip = decode_video(stage.clip).repeat(5, axis=1).repeat(5, axis=2).astype(int)
    top = 10 + 4 * 16 + 4
    for number, frame in enumerate(frames_of(drawn / "square" / "masks.gif")):
        assert np.abs(frame[top : top + 160, 10:170] - clip[number]).mean() < 12


def test_several_encoders_stand_below_one_another(tmp_path: Path, stage: Stage) -> None:
    heights = {}
    for name, runs in (("one", [FACTORIZED]), ("two", [BASELINE, FACTORIZED])):
        assert main(["show", *runs, str(stage.clip), "--out", str(tmp_path / name), *CHEAP]) == DONE
        files = {path.name: path for path in (tmp_path / name).rglob("*.*") if path.is_file()}
        assert {f"{picture}.png" for picture in ("pca", "masks", "motion", "similarity")} <= set(files)
        heights[name] = {file: Image.open(path).height for file, path in files.items()}
    assert heights["two"]["pca.png"] > heights["one"]["pca.png"] + 200
    assert heights["two"]["similarity.png"] > 1.5 * heights["one"]["similarity.png"]
    # Equal masks stand once, over another line of the legend.
    assert 0 < heights["two"]["masks.png"] - heights["one"]["masks.png"] <= 20


def test_weights_before_training_give_other_pictures(tmp_path: Path, stage: Stage) -> None:
    for weights in ("teacher", "online", "init"):
        options = ("--weights", weights, "--out", str(tmp_path / weights), "--pictures", "pca")
        assert main(["show", str(stage.run.folder), str(stage.clip), *options]) == DONE
    files = [(tmp_path / weights / "square" / "pca.png").read_bytes() for weights in ("teacher", "online", "init")]
    assert len(set(files)) == 3


def test_without_a_stored_probe_the_rest_is_drawn(
    tmp_path: Path, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    # Probes of other numbers of clips are other probes.
    options = ("--out", str(tmp_path), "--pictures", "attention,masks", "--num-train", "9", "--num-val", "9")
    assert main(["show", str(stage.run.folder), str(stage.clip), *options]) == DONE
    assert "vjepa probe RUN --probes attentive" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.rglob("*.*") if path.is_file()) == ["masks.gif", "masks.png"]


def test_nothing_to_draw_is_an_error(tmp_path: Path, stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["show", BASELINE, "--out", str(out), "--pictures", "rank"]) == BAD_INPUT
    told = capsys.readouterr()
    assert "no event files" in told.out and "nothing could be drawn" in told.err and not out.exists()


def test_an_image_is_shown_as_a_still_video(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "still.png")
    assert main(["show", FACTORIZED, str(tmp_path / "still.png"), "--out", str(tmp_path / "out"), *CHEAP]) == DONE
    frames = frames_of(tmp_path / "out" / "still" / "motion.gif")
    assert (frames[0][46:206, 10:170] == frames[-1][46:206, 10:170]).all()


def bad_words(stage: Stage, folder: Path) -> dict[str, tuple[list[str], str]]:
    """Words of a command line, and what its message says."""
    run, clip = str(stage.run.folder), str(stage.clip)
    (folder / "notes.mp4").write_text("no video")
    (folder / "empty.mp4").touch()
    write_square(folder / "short.mp4", num_frames=5)
    shutil.copytree(stage.run.folder, folder / "unfinished", ignore=shutil.ignore_patterns("DONE.json"))
    return {
        "no clip": ([run], "no clip among"),
        "no run": ([clip], "no run among"),
        "missing clip": ([run, "nowhere.mp4"], "nowhere.mp4: no such file"),
        "no video": ([run, str(folder / "notes.mp4")], "cannot be decoded"),
        "empty": ([run, str(folder / "empty.mp4")], "the file is empty"),
        "too short": ([run, str(folder / "short.mp4")], "has 5 frames, and the encoder was trained on clips of 8"),
        "unknown picture": ([run, clip, "--pictures", "atention"], "did you mean 'attention'?"),
        "unfinished": ([str(folder / "unfinished"), clip], "is not finished"),
        "no run's folder": ([str(folder), clip], "is no run"),
        "missing encoder": (["nowhere.safetensors", clip], "no such file"),
        "other weights": ([BASELINE, clip, "--weights", "online"], "holds the weights teacher"),
        "no gallery": ([run, clip, "--num-gallery", "0"], "--num-gallery 0"),
        "unknown benchmark": ([run, clip, "--benchmark", "glyfs"], "did you mean 'glyphs'?"),
        "no device": ([run, clip, "--device", "tpu9"], "tpu9"),
        "no event files": ([BASELINE, clip, "--tensorboard"], "has no event files"),
    }


def test_bad_input_is_one_message_and_nothing_written(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    for name, (words, message) in bad_words(stage, tmp_path).items():
        assert main(["show", *words, "--out", str(out)]) == BAD_INPUT, name
        told = capsys.readouterr().err
        assert message in told and len([one for one in told.splitlines() if one.startswith("error")]) == 1, (name, told)
        assert not out.exists(), name


def test_runs_and_clips_may_stand_in_any_order(stage: Stage) -> None:
    words = [str(stage.clip), str(stage.run.folder), BASELINE]
    assert sorted_words(words) == ([stage.run.folder, Path(BASELINE)], [stage.clip])


def test_clips_of_one_name_have_folders_of_their_own() -> None:
    paths = [Path("a/clip.mp4"), Path("b/clip.mp4"), Path("other.mp4")]
    assert folders_of(paths) == {"clip": paths[0], "clip-2": paths[1], "other": paths[2]}
