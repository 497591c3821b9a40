"""Every command line of the README and the docs is run at a small size or parsed; the test's name says which.

``python -m pytest tests/test_commands.py -m '' --collect-only`` lists them. ``test_runs[...]`` are run as they are, at
a small size; ``test_parses[...]`` are read by the parser of their verb, and their files, targets and modules exist.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from experiments.cli import LIGHTNING_VERBS, PROJECT_VERBS, main
from experiments.training.resolve import resolve_run
from tests.commands import (
    COMMANDS,
    GUIDES,
    PAGES,
    ROOT,
    TOOLS,
    Command,
    parse_make,
    parse_python,
    parse_tool,
    parse_vjepa,
    quickstart_yaml,
)  # fmt: skip
from tests.data_modules.encoded import moving_frames, write_video

QUIET = ("--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false")
FEW = tuple(f"--data.init_args.{split}_clips={count}" for split, count in (("train", 48), ("val", 16), ("test", 16)))
TINY = ("--model.preset=tiny", "--data.init_args.size=32", "--data.init_args.num_frames=4", "--model.patch_size=8",
        "--data.init_args.num_workers=0", "--data.init_args.batch_size=4")  # fmt: skip


@dataclass(frozen=True)
class Workplace:
    """Folders of a test, and a finished run for the commands that need one."""

    folder: Path
    run: Path

    def small_fit(self, words: list[str]) -> list[str]:
        return [*words, *QUIET, "--trainer.max_steps=2", f"--run.root={self.folder / 'runs'}"]

    def small_evaluation(self, words: list[str]) -> list[str]:
        """The run stands for every run, and quick probes for slow ones."""
        words = [str(self.run) if word == "RUN" or word.startswith("runs/glyphs/") else word for word in words]
        words = [word.replace("attentive,knn", "knn") for word in words]
        sizes = ["--num-train", "24", "--num-val", "16", "--num-test", "12"]
        return [*words, *sizes, "--device", "cpu", "--cache", str(self.folder / "features")]


def fit(place: Workplace, words: list[str]) -> list[str]:
    return place.small_fit([*words, *FEW])


def fit_videos(place: Workplace, words: list[str]) -> list[str]:
    """The list files of the page, with real videos behind them."""
    data = place.folder / "data"
    data.mkdir()
    lines = [f"{number}.mp4 {number % 2}\n" for number in range(12)]
    for number in range(12):
        write_video(data / f"{number}.mp4", moving_frames(24, 48, 64, seed=number))
    (data / "train.csv").write_text("".join(lines[:8]))
    (data / "test.csv").write_text("".join(lines[8:]))
    config = place.folder / "my-videos.yaml"
    config.write_text(quickstart_yaml())
    words = [str(config) if word == "my-videos.yaml" else word for word in words]
    return place.small_fit([*words, *TINY, f"--data.init_args.root={data}"])


def evaluate(place: Workplace, words: list[str]) -> list[str]:
    return place.small_evaluation(words)


def export(place: Workplace, words: list[str]) -> list[str]:
    words = [str(place.run) if word.startswith("runs/") else word for word in words]
    return [*words[:-1], str(place.folder / words[-1])]


def prepare(place: Workplace, words: list[str]) -> list[str]:
    return [*(word for word in words if word not in ("--clips", "8000")), "--clips", "40", "--root", str(place.folder)]


def as_it_is(place: Workplace, words: list[str]) -> list[str]:
    return words


RUN: dict[str, Callable[[Workplace, list[str]], list[str]]] = {
    r"variants$": as_it_is,
    r"claims$": as_it_is,
    r"doctor$": as_it_is,
    r"results docs/": as_it_is,
    r"bench scaling ": as_it_is,
    r"fit --config \S+base.yaml --trainer.max_steps 200$": fit,
    r"fit .*as_released --model.objectives.static null": fit,
    r"fit .*my-videos.yaml": fit_videos,
    r"probe runs/": evaluate,
    r"(export|features) runs/": export,
    r"prepare (glyphs|kathabench)": prepare,
}
"""By a pattern of the words after vjepa: how a command is made small."""
SLOW = ("fit", "probe", "prepare", "bench", "export", "features")


def small(command: Command) -> Callable[[Workplace, list[str]], list[str]] | None:
    if command.words[0] != "vjepa":
        return None
    return next((make for pattern, make in RUN.items() if re.match(pattern, " ".join(command.words[1:]))), None)


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished")
    words = ["--config", str(ROOT / "experiments" / "configs" / "base.yaml"), *QUIET, *FEW, "--trainer.max_steps=2"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VJEPA_CACHE", str(root / "cache"))
        assert main(["fit", *words, f"--run.root={root}"]) == 0
    return resolve_run([*words, f"--run.root={root}"]).folder


def params(chosen: bool) -> list[Any]:
    found = [command for command in COMMANDS if (small(command) is not None) is chosen]
    return [
        pytest.param(command, id=str(command), marks=[pytest.mark.slow] if chosen and command.words[1] in SLOW else [])
        for command in found
    ]


def test_pages_have_commands() -> None:
    assert len(COMMANDS) > 60 and len(params(True)) >= 10
    used = {pattern for pattern in RUN for one in COMMANDS if re.match(pattern, " ".join(one.words[1:]))}
    assert used == RUN.keys()


@pytest.mark.parametrize("command", params(False))
def test_parses(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DATA_ROOT", str(tmp_path))
    program, *words = command.words
    if program == "vjepa":
        parse_vjepa(tuple(words), monkeypatch, tmp_path)
    elif program == "make":
        parse_make(tuple(words))
    elif Path(program).name == "python":  # that of an environment may be named by its path
        parse_python(tuple(words))
    else:
        assert program in TOOLS, program
        parse_tool(tuple(words))


@pytest.mark.parametrize("command", params(True))
def test_runs(
    command: Command, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("VJEPA_CACHE", str(tmp_path / "cache"))
    verb = command.words[1]
    run = request.getfixturevalue("finished_run") if verb in ("probe", "export", "features") else tmp_path
    make = small(command)
    assert make is not None
    assert main([verb, *make(Workplace(tmp_path, run), list(command.words[2:]))]) == 0


def test_a_wrong_option_would_be_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    for words in (("results", "x", "--wher", "a=b", "--nothing"), ("probe", "RUN", "--profil", "core")):
        with pytest.raises(SystemExit):
            parse_vjepa(words, monkeypatch, tmp_path)
    for words in (("ablaton",), ("ablation", "SEDS=0")):
        with pytest.raises((AssertionError, subprocess.CalledProcessError)):
            parse_make(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_verbs_that_are_named_in_a_sentence_exist(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    named = set(re.findall(r"`vjepa\s([a-z]+)\b", text))
    assert named <= LIGHTNING_VERBS.keys() | PROJECT_VERBS.keys()


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in GUIDES], ids=lambda page: page.name)
def test_python_compiles_and_imports_what_exists(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL):
        compile(block, page.name, "exec")
        for line in re.findall(r"^(?:from \S+ )?import .+$", block, flags=re.MULTILINE):
            exec(line, {})


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in GUIDES], ids=lambda page: page.name)
def test_yaml_is_accepted_over_the_base(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.DOTALL)):
        overlay = tmp_path / f"{number}.yaml"
        overlay.write_text(block)
        assert resolve_run(["--config", "experiments/configs/base.yaml", "--config", str(overlay)]).config_hash
