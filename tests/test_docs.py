"""The pages about defects and objectives say what the code does, and the guide to a new objective works."""

from __future__ import annotations

import inspect
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml

from experiments.cli import main
from experiments.docs.command import objectives_page
from experiments.docs.docstrings import parse
from experiments.overlays import variant_names
from experiments.published import MAIN_PROBES, results
from tests.conftest import SHIPPED
from tests.guides import follow, run_in, written_lines
from vjepa.module import VideoJEPA
from vjepa.objectives import REGISTRY
from vjepa.reading import SWITCHES

ROOT = Path(__file__).parents[1]
DEFECTS = ROOT / "docs" / "defects.md"
GUIDE = ROOT / "docs" / "adding-an-objective.md"
PAGES = sorted((ROOT / "docs").glob("*.md"))
NEW_TERM = "temporal_direction"
NUM_DEFECTS = 36
LARGER_GOLDEN = {"tiny_state", "tiny_forward", "rope_block", "mask_stats", "data"}


def sections(page: Path) -> dict[str, str]:
    """Text under each second-level heading."""
    parts = re.split(r"^## (.+)\n", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def anchor(heading: str) -> str:
    """The link that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def defects() -> dict[int, str]:
    return {int(title.split(".")[0]): text for title, text in sections(DEFECTS).items()}


def yaml_path(key: str) -> str:
    """Where a switch is set; those of probe protocols are known by their key."""
    owner = {"data": "data.init_args"}.get(SWITCHES[key].owner, SWITCHES[key].owner)
    return f"{owner}.{key.split('.')[-1]}" if owner.startswith(("model", "data")) else key


def yaml_value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_every_defect_has_a_section_in_order_of_severity() -> None:
    found = defects()
    assert list(found) == list(range(1, NUM_DEFECTS + 1))
    stars = []
    for text in found.values():
        assert "**Evidence.**" in text and "**Effect.**" in text and "**Here.**" in text
        stars.append(text.split()[0].count("★"))
    assert stars == sorted(stars, reverse=True)
    assert set(stars) == {1, 2, 3}


def test_the_summary_names_every_defect_as_its_section_does() -> None:
    rows = re.findall(r"^\| \[(\d+)\]\(#(.+?)\) \| (★+) \| (.+?) \|", DEFECTS.read_text(), flags=re.MULTILINE)
    titles = list(sections(DEFECTS))
    assert [f"{number}. {text}" for number, _, _, text in rows] == titles
    assert [link for _, link, _, _ in rows] == [anchor(title) for title in titles]
    assert [stars for _, _, stars, _ in rows] == [text.split()[0] for text in defects().values()]


@pytest.mark.parametrize("key", SWITCHES)
def test_a_switch_is_told_where_its_defect_is(key: str) -> None:
    text, switch = defects()[SWITCHES[key].defect].split("**Here.**")[1], SWITCHES[key]
    assert f"`{yaml_path(key)}" in text
    for value in (switch.as_described, switch.as_released, *switch.options):
        assert f"`{yaml_value(value)}`" in text, value
    assert ("both readings" in text) is not switch.differs


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_exist(page: Path) -> None:
    text = page.read_text()
    own = {anchor(title) for title in re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)}
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("#"):
            assert link[1:] in own, link
        elif not link.startswith("http"):
            assert (page.parent / link.partition("#")[0]).exists(), link
    written = re.findall(r"^.*Save as `(.+?)`:$", text, flags=re.MULTILINE)  # by somebody who follows a guide
    for path in re.findall(r"`((?:tests|vjepa|experiments|data_modules)/[\w/.]+)`", text):
        assert (ROOT / path).exists() or path in written, path


def has_golden(case: str) -> bool:
    return case in LARGER_GOLDEN or any(any(SHIPPED.glob(f"{prefix}{case}.npz")) for prefix in ("", "loss_"))


def test_golden_cases_exist() -> None:
    quoted = re.findall(r"[Gg]olden (?:cases? )?((?:`[\w*]+`(?: \(.*?\))?(?:, | and )?)+)", DEFECTS.read_text())
    named = [case for group in quoted for case in re.findall(r"`([\w*]+)`", re.sub(r"\(.*?\)", "", group))]
    assert len(named) > 15
    for name, cls in REGISTRY.items():
        assert parse(cls).golden, name
        named += parse(cls).golden
    assert not [case for case in named if not has_golden(case)]


def test_quoted_results_are_those_published() -> None:
    aliases = {"headline": "fwm_hw_ld"}
    quoted = re.findall(r"([A-Za-z]+(?:-[A-Z]+)*)\s\(([\d.]+)\s/\s([\d.]+)\s/\s([\d.]+)\)", DEFECTS.read_text())
    assert len(quoted) > 15
    published = {(row.config, row.benchmark): row.accuracy_percent for row in results() if row.probe in MAIN_PROBES}
    for name, *values in quoted:
        variant = aliases.get(name, name.lower().replace("-", "_"))
        expected = [published[f"mixed_4gpu_{variant}", benchmark] for benchmark in ("diving48", "imagenet100", "ssv2")]
        assert [float(value) for value in values] == expected, name


def test_quoted_variants_ship() -> None:
    text = re.sub(r"\s+", " ", DEFECTS.read_text())
    quoted = re.findall(r"[Vv]ariants? ((?:`\w+`(?:, | and )?)+)|Controls: (.+?)\.", text)
    named = [name for group in quoted for part in group for name in re.findall(r"`(\w+)`", part)]
    assert len(named) >= 9
    assert set(named) <= set(variant_names())


def test_objectives_are_documented_as_they_are() -> None:
    page = ROOT / "docs" / "objectives.md"
    assert page.read_text() == objectives_page(DEFECTS.read_text()), "run: vjepa docs objectives --write"


def test_the_check_of_the_page_can_fail(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    shutil.copy(DEFECTS, tmp_path)
    monkeypatch.setattr("experiments.docs.command.FOLDER", tmp_path)
    assert main(["docs", "--check"]) == 1
    assert "run vjepa docs objectives --write" in capsys.readouterr().err
    assert main(["docs", "--write"]) == 0
    assert main(["docs", "--check"]) == 0
    (tmp_path / "objectives.md").write_text((tmp_path / "objectives.md").read_text().replace("`0.05`", "`0.06`"))
    assert main(["docs", "--check"]) == 1


def test_every_option_that_the_pages_name_exists() -> None:
    named = {name for page in PAGES for name in re.findall(r"`(model(?:\.\w+)+)", page.read_text())}
    assert len(named) > 15
    assert not [name for name in named if not option_exists(name)]


def option_exists(path: str) -> bool:
    """Whether a dotted name leads through the arguments of the classes that YAML makes."""
    place: Any = VideoJEPA
    for word in path.split(".")[1:]:
        hints = get_type_hints(place.__init__)
        if word not in hints:
            return False
        choices = [hints[word], *get_args(hints[word])]
        choices += [inner for choice in choices for inner in get_args(choice)]
        place = next((choice for choice in choices if inspect.isclass(choice) and choice is not type(None)), None)
    return True


def test_a_new_objective_is_short() -> None:
    lines = written_lines(GUIDE)
    assert lines < 40
    assert f"{lines} lines of code" in GUIDE.read_text().replace("\n", " ")


@pytest.mark.slow
def test_the_guide_to_a_new_objective_works(tmp_path: Path) -> None:
    check, docs, fit = follow(GUIDE, tmp_path)
    assert check[1:4] == ["python", "-m", "pytest"] and docs[:2] == ["vjepa", "docs"] and fit[:2] == ["vjepa", "fit"]
    with ThreadPoolExecutor() as pool:
        told, _, config = pool.map(
            partial(run_in, tmp_path), ([*check, "-vv", "-p", "no:cacheprovider"], docs, [*fit, "--print_config"])
        )
    for contract in ("test_no_valid_pair", "test_zero_at_the_known_optimum", "test_bf16_autocast", "test_same_and"):
        assert re.search(rf"{contract}\S* PASSED", told), contract
    assert "FAILED" not in told and "SKIPPED" not in told
    assert (tmp_path / "tests" / "experiments" / "snapshots" / f"{NEW_TERM}.yaml").is_file()
    assert f"[`{NEW_TERM}`](#{NEW_TERM})" in (tmp_path / "docs" / "objectives.md").read_text()
    resolved = yaml.safe_load(config)
    assert resolved["model"]["objectives"][NEW_TERM] == {"weight": 0.5}
    assert resolved["trainer"]["max_steps"] == 200
