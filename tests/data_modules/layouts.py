"""Writes tiny data sets in the layouts in which the benchmarks are downloaded, with real media in them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from PIL import Image

from tests.data_modules.encoded import moving_frames, write_packed_avi, write_video

UCF_CLASSES = ("ApplyEyeMakeup", "Archery", "YoYo")
UCF_TRAIN_GROUPS, UCF_TEST_GROUPS, UCF_CLIPS = range(8, 14), range(1, 3), 3

TEMPLATES = (
    "Approaching something with your camera",
    "Pulling something from left to right",
    "Pulling something from right to left",
    "Putting number of something onto something",
)
# As train.json spells them.
BRACKETED = (
    "Approaching [something] with your camera",
    "Pulling [something] from left to right",
    "Pulling [something] from right to left",
    "Putting [number of] [something] onto [something]",
)

DIVES = (
    ["Back", "15som", "05Twis", "FREE"],
    ["Inward", "15som", "NoTwis", "PIKE"],
    ["Forward", "35som", "NoTwis", "TUCK"],
)


def copies(source: Path, targets: list[Path]) -> None:
    """Put a file at every target."""
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def write_ucf101(root: Path) -> Path:
    """UCF-101: 3 classes, 6 groups of 3 clips for training and 2 for testing in split 1; packed AVI and plain AVI."""
    home = root / "ucf101"
    lists = home / "ucfTrainTestlist"
    lists.mkdir(parents=True)
    (lists / "classInd.txt").write_bytes("".join(f"{k + 1} {name}\r\n" for k, name in enumerate(UCF_CLASSES)).encode())
    train: list[str] = []
    test: list[str] = []
    packed = write_packed_avi(root / "packed.avi", moving_frames(30, 48, 64))
    for number, name in enumerate(UCF_CLASSES):
        plain = write_video(root / f"{name}.avi", moving_frames(20 + 9 * number, 48, 64, seed=number), "mpeg4")
        for group in (*UCF_TRAIN_GROUPS, *UCF_TEST_GROUPS):
            names = [f"{name}/v_{name}_g{group:02d}_c{clip:02d}.avi" for clip in range(1, UCF_CLIPS + 1)]
            copies(plain if group % 2 else packed, [home / "UCF-101" / file for file in names])
            if group in UCF_TRAIN_GROUPS:
                train += [f"{file} {number + 1}" for file in names]
            else:
                test += names
        plain.unlink()
    packed.unlink()
    (lists / "trainlist01.txt").write_text("\n".join(train) + "\n")
    (lists / "testlist01.txt").write_text("\n".join(test) + "\n")
    # Split 2 exchanges the first training group and the test groups of every class.
    (lists / "trainlist02.txt").write_text("\n".join(line for line in train if "_g08_" not in line) + "\n")
    (lists / "testlist02.txt").write_text("\n".join(line.split()[0] for line in train if "_g08_" in line) + "\n")
    return home


def write_ssv2(root: Path, layout: Literal["20bn", "qualcomm"] = "qualcomm", answers: bool = False) -> Path:
    """Something-Something V2: 4 classes, 40 training, 8 validation and 4 test videos."""
    home = root / "ssv2"
    labels = home / "labels" if layout == "qualcomm" else home
    labels.mkdir(parents=True)
    name = "{}.json" if layout == "qualcomm" else "something-something-v2-{}.json"
    videos = home / "20bn-something-something-v2"
    first = 0
    for split, count in (("train", 40), ("validation", 8), ("test", 4)):
        records: list[dict[str, Any]] = []
        for number in range(first, first + count):
            record: dict[str, Any] = {"id": str(number)}
            if split != "test":
                template = BRACKETED[number % 4]
                record |= {"label": template.replace("[", "a ").replace("]", ""), "template": template}
            records.append(record)
        (labels / name.format(split)).write_text(json.dumps(records))
        first += count
    (labels / name.format("labels")).write_text(json.dumps({text: str(k) for k, text in enumerate(TEMPLATES)}))
    if answers:
        (labels / "test-answers.csv").write_text("".join(f"{48 + k};{TEMPLATES[3 - k]}\n" for k in range(4)))
    for kind in range(4):
        video = write_video(root / f"{kind}.webm", moving_frames(24, 48, 64, seed=kind), "libvpx-vp9", rate=12)
        copies(video, [videos / f"{number}.webm" for number in range(kind, first, 4)])
        video.unlink()
    return home


def write_diving48(root: Path) -> Path:
    """Diving-48: 3 classes in clips of 8 source videos; V1 lists two clips more than V2."""
    home = root / "diving48"
    (home / "rgb").mkdir(parents=True)
    records = [
        {"vid_name": f"-src_{source}_{clip:05d}", "label": (source + clip) % 3, "start_frame": 0, "end_frame": 30}
        for source in range(8)
        for clip in range(5)
    ]
    test = [{"vid_name": f"test_{clip:05d}", "label": clip % 3, "start_frame": 0, "end_frame": 30} for clip in range(6)]
    more = [{"vid_name": f"more_{clip:05d}", "label": clip, "start_frame": 0, "end_frame": 30} for clip in range(2)]
    (home / "Diving48_V2_train.json").write_text(json.dumps(records))
    (home / "Diving48_train.json").write_text(json.dumps(records + more))
    for version in ("", "V2_"):
        (home / f"Diving48_{version}test.json").write_text(json.dumps(test))
    (home / "Diving48_vocab.json").write_text(json.dumps(DIVES))
    for label in range(3):
        video = write_video(root / f"{label}.mp4", moving_frames(30, 48, 80, seed=label), options={"g": "250"})
        named = [record for record in records + test + more if record["label"] == label]
        copies(video, [home / "rgb" / f"{record['vid_name']}.mp4" for record in named])
        video.unlink()
    return home


def write_imagenet100(root: Path, num_classes: int = 100, name: str = "imagenet100", per_class: int = 3) -> Path:
    """Class folders n00000000, ... with small JPEG files; some are grey, CMYK or PNG."""
    home = root / name
    generator = np.random.default_rng(0)
    for number in range(num_classes):
        wnid = f"n{number:08d}"
        picture = cv2.resize(generator.integers(0, 255, (4, 4, 3), np.uint8), (30, 24), interpolation=cv2.INTER_CUBIC)
        image = Image.fromarray(picture)
        for split, count in (("train", per_class), ("val", 1)):
            folder = home / split / wnid
            folder.mkdir(parents=True)
            for file in range(count):
                kind = (number + file) % 10
                if kind == 0:
                    image.save(folder / f"{wnid}_{file}.PNG")
                else:
                    mode = {1: "L", 2: "CMYK"}.get(kind, "RGB")
                    image.convert(mode).save(folder / f"{wnid}_{file}.JPEG", format="JPEG")
    return home
