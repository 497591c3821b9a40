"""``vjepa claims``: the page is current, the formats, and runs of ours beside the study's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from experiments.claims.check import check_claims
from experiments.claims.command import main
from experiments.claims.ours import Answer, finished_evaluations
from experiments.claims.page import to_markdown
from tests.experiments.statistics.invented import stamp_of, write_evaluation
from vjepa.errors import UserError

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "claims.md"
SEEDS = (0, 1, 2, 3)
ACCURACY = {"baseline": 0.3, "ld": 0.98, "fwm": 0.3}


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def add_run(folder: Path, variant: str, seed: int, hashed: str) -> None:
    """A run with an evaluation, as a cell leaves it."""
    run = folder / "runs" / "glyphs" / variant / "as_described" / f"seed{seed}-{hashed[:8]}"
    evaluation = run / "evaluation" / "glyphs"
    evaluation.mkdir(parents=True)
    write_evaluation(evaluation, [stamp_of(variant, seed)], ACCURACY, index=None, conditions=())


def finish_cell(folder: Path, variant: str, seed: int, hashed: str) -> None:
    cell = folder / "cells" / variant / "as_described" / f"seed{seed}-0000"
    cell.mkdir(parents=True)
    (cell / "DONE.json").write_text(json.dumps({"hash": "0000", "config_hash": hashed}))


@pytest.fixture(scope="module")
def ablation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablation")
    for variant in ACCURACY:
        for seed in SEEDS:
            hashed = f"{len(variant)}{seed}abcdefgh"
            add_run(folder, variant, seed, hashed)
            finish_cell(folder, variant, seed, hashed)
    add_run(folder, "ld", 8, "98abcdefgh")
    finish_cell(folder, "ld", 8, "98abcdefgh")
    (folder / "cells/ld/as_described/seed8-0000/DONE.json").write_text("{")  # damaged
    add_run(folder, "ld", 9, "99abcdefgh")  # its cell is not done
    return folder


@pytest.fixture(scope="module")
def with_runs(ablation: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    out = tmp_path_factory.mktemp("out") / "claims.json"
    assert main([str(ablation), "--format", "json", "--out", str(out)]) == 0
    return {item["number"]: item for item in json.loads(out.read_text())["claims"]}


def test_the_page_is_current() -> None:
    assert to_markdown(check_claims()) == PAGE.read_text(), "run vjepa claims --format markdown --out docs/claims.md"


def test_a_page_elsewhere_links_to_the_same_files(tmp_path: Path) -> None:
    out = tmp_path / "far" / "claims.md"
    assert main(["--format", "markdown", "--out", str(out)]) == 0
    for link in set(re.findall(r"\]\(([^#)]+)", out.read_text())):
        assert (out.parent / link).is_file(), link


def test_links_of_the_page_lead_somewhere() -> None:
    page, defects = PAGE.read_text(), (ROOT / "docs" / "defects.md").read_text()
    inside = {anchor(title) for title in re.findall(r"^#+ (.+)$", page, flags=re.MULTILINE)}
    outside = {anchor(title) for title in re.findall(r"^#+ (.+)$", defects, flags=re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= inside
    assert set(re.findall(r"\]\(defects\.md#([^)]+)\)", page)) <= outside
    assert "](../experiments/published/results.csv)" in page


def test_text_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 110
    assert any("HOLDS ONLY AGAINST THE CHOSEN BASELINE: 10 of 14" in line for line in lines)
    assert "Our runs: none were given (vjepa claims FOLDER)." in lines


def test_json_has_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    fourth = document["claims"][3]
    assert (fourth["key"], fourth["verdict"]) == ("ld_largest", "holds")
    figures = fourth["statements"][0]["figures"][0]
    assert figures["minus_chosen_baseline"] == 5.02 and figures["chosen_baseline"] == "mixed_4gpu_baseline_seed42"
    assert figures["minus_same_seed_baseline"] == 6.79 and figures["baseline_spread"] == 1.77
    assert figures["source_file"] == "results/train_mixed_4gpu_ld/eval_ssv2_results.json"
    assert {item["answer"] for claim in document["claims"] for item in claim["our_runs"]} == {"not run"}
    assert document["rules"]["spreads"] == 1.0 and document["runs"] is None


# -- runs of ours


def test_only_runs_of_finished_cells_count(ablation: Path) -> None:
    found = finished_evaluations(ablation)
    assert len(found) == 12 and not [path for path in found if "seed8" in str(path) or "seed9" in str(path)]


def test_runs_of_ours_stand_beside_the_claim(with_runs: dict[int, dict[str, Any]]) -> None:
    order, images, motion = with_runs[6]["our_runs"]
    assert order["answer"] == Answer.AGREES and order["judged_on"] == "glyphs/order" and order["analogy"]
    assert order["reading"] == "as_described" and order["p_holm"] < 0.05
    assert order["difference"]["mean"] == pytest.approx(0.68, abs=0.15) and order["difference"]["num_seeds"] == 4
    # Invented: LD is better on every task, where the claim has it worse.
    assert images["answer"] == motion["answer"] == Answer.CONTRADICTS
    assert {item["answer"] for item in with_runs[7]["our_runs"]} == {Answer.NOT_SIGNIFICANT}
    assert {item["answer"] for item in with_runs[1]["our_runs"]} == {Answer.NOT_RUN}


def test_runs_of_ours_change_no_verdict(
    with_runs: dict[int, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--format", "json"]) == 0
    alone = {item["number"]: item["verdict"] for item in json.loads(capsys.readouterr().out)["claims"]}
    assert {number: item["verdict"] for number, item in with_runs.items()} == alone


def test_a_page_with_runs_says_that_they_are_an_analogy(ablation: Path, tmp_path: Path) -> None:
    assert main([str(ablation), "--format", "markdown", "--out", str(tmp_path / "page.md")]) == 0
    page = (tmp_path / "page.md").read_text()
    assert "glyphs/order, for SSv2" in page and "not significant" in page and f"Runs: `{ablation}`." in page
    assert "1 as claimed and 2 against the claim" in page


def test_one_seed_claims_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for variant in ("baseline", "ld"):
        add_run(tmp_path, variant, 0, f"{variant}_hash")
        finish_cell(tmp_path, variant, 0, f"{variant}_hash")
    assert main([str(tmp_path)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "n=1 seed: no interval" in text and "one seed: nothing is claimed" in text


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished cell"):
        main([str(tmp_path)])
    with pytest.raises(UserError, match="no such folder"):
        main([str(tmp_path / "missing")])
