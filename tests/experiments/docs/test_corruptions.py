"""docs/robustness.md says what the corruptions do, in numbers that are read back from it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from experiments.docs.command import main, robustness_page
from experiments.docs.docstrings import parse
from vjepa.corruptions import CORRUPTIONS, PROFILES, SEVERITIES, VERSION
from vjepa.errors import UserError

PAGE = Path(__file__).parents[3] / "docs" / "robustness.md"


def rows(heading: str) -> dict[str, list[str]]:
    """Cells of the tables under a heading, by the name in their first."""
    section = re.split(r"^## ", PAGE.read_text().split(f"\n## {heading}\n")[1], flags=re.MULTILINE)[0]
    lines = [re.split(r"(?<!\\)\|", line)[1:-1] for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line] for line in lines]
    return {first.strip("*`"): rest for first, *rest in cells if "`" in first}


def test_the_page_is_what_the_code_says() -> None:
    assert robustness_page(PAGE.read_text()) == PAGE.read_text(), "run: vjepa docs robustness --write"


def test_every_parameter_of_the_page_is_that_of_the_registry() -> None:
    found = rows("Parameters")
    assert set(found) == set(CORRUPTIONS)
    for name, (stage, _, *cells) in found.items():
        levels = [tuple(float(number) for number in cell.split(",")) for cell in cells[: len(SEVERITIES)] if cell]
        expected = [level if isinstance(level, tuple) else (level,) for level in CORRUPTIONS[name].levels]
        assert len(levels) == len(expected), name
        for level, numbers in zip(levels, expected, strict=True):
            assert level == pytest.approx(numbers, rel=1e-9), name
        assert stage == CORRUPTIONS[name].stage


def test_bold_are_those_of_the_protocol() -> None:
    bold = set(re.findall(r"\*\*`(\w+)`\*\*", PAGE.read_text()))
    assert bold == set(PROFILES["full"].corruptions)


def test_parameters_name_as_many_numbers_as_they_have() -> None:
    for item in CORRUPTIONS.values():
        for level in item.levels:
            assert len(item.parameter.split(", ")) == (len(level) if isinstance(level, tuple) else 1), item.name


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_every_corruption_says_what_it_does_and_where_it_is_from(name: str) -> None:
    doc = parse(CORRUPTIONS[name].apply)
    assert doc.summary and doc.source
    assert rows("Definitions")[name][0].startswith(re.sub(r"``.*", "", doc.summary)[:15])


def test_profiles_are_complete() -> None:
    found = rows("Profiles")
    assert set(found) == set(PROFILES)
    for name, (_, conditions, averaged, corruptions, _) in found.items():
        assert int(conditions) == len(PROFILES[name].conditions)
        assert int(averaged) == len(PROFILES[name].label_preserving)
        assert tuple(re.findall(r"`(\w+)`", corruptions)) == PROFILES[name].corruptions


def test_the_text_names_the_version_and_every_stage() -> None:
    text = PAGE.read_text()
    assert f"`{VERSION}|data set|video|corruption`" in text
    assert re.findall(r"^\| \d \| `(\w+)` \|", text, flags=re.MULTILINE) == [
        "native", "source", "sampled", "model",
    ]  # fmt: skip


def test_writing_keeps_the_text_around_the_tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    monkeypatch.setattr("experiments.docs.command.FOLDER", tmp_path)
    copy = Path(shutil.copy(PAGE, tmp_path))
    changed = copy.read_text().replace("0.08", "0.09") + "\n## Metrics\n\nMore text.\n"
    copy.write_text(changed)
    assert main(["robustness", "--check"]) == 1
    assert "run vjepa docs robustness --write" in capsys.readouterr().err
    assert main(["robustness", "--write"]) == main(["robustness", "--check"]) == 0
    assert copy.read_text() == PAGE.read_text() + "\n## Metrics\n\nMore text.\n"


def test_a_page_without_marks_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="tables of definitions need"):
        robustness_page(PAGE.read_text().replace("<!-- end definitions -->", ""))
    monkeypatch.setattr("experiments.docs.command.FOLDER", tmp_path)
    with pytest.raises(UserError, match=r"robustness.md: no such file"):
        main(["robustness"])
