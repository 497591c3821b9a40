"""The list of variants: the study's configurations as its code sets them, its results, and what they do not mean."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.cli import main
from experiments.overlays import look_up, merged, objective_overlay, regime_overlay, variant_names
from experiments.published import BENCHMARKS, MAIN_PROBES, configs, results, results_of, study_variants
from experiments.published.notes import NOTES, defects_of
from experiments.variants.command import select
from experiments.variants.rows import resolved, touched
from vjepa.errors import UserError
from vjepa.reading import SWITCHES

ROOT = Path(__file__).parents[3]
GUIDED, AGGRESSIVE = {"strength": 2.0, "random_rate": 0.1}, {"strength": 5.0, "random_rate": 0.0}
FUTURE = {"temporal_keep": 0.5, "block_ratio": 0.5}
FWM = {"static": 0.05, "orthogonality": 0.01}
# What the study's configurations switch on: weights of terms, and slots by their place below model.
STUDY: dict[str, tuple[dict[str, float], dict[str, object]]] = {
    "baseline": ({}, {}),
    "ac": ({"action": 1.0}, {}),
    "ac_hw": ({"action": 1.0, "hard_region": 0.3}, {}),
    "fac": ({**FWM, "action": 1.0}, {"layout": "factorized", "app_ratio": 0.5}),
    "amg": ({}, {"masker.motion": AGGRESSIVE}),
    "combo": ({"delta": 0.5, "hard_region": 0.3}, {"masker.motion": AGGRESSIVE}),
    "delta": ({"delta": 0.5}, {}),
    "fwm": (FWM, {"layout": "factorized", "app_ratio": 0.5}),
    "fwm_ld": ({**FWM, "latent_dynamics": 1.0}, {"layout": "factorized", "app_ratio": 0.5}),
    "fwm_hw_ld": (
        {**FWM, "latent_dynamics": 1.0, "hard_region": 1.0}, {"layout": "factorized", "app_ratio": 0.5},
    ),
    "hw": ({"hard_region": 0.3}, {}),
    "hw_ld": ({"hard_region": 1.0, "latent_dynamics": 1.0}, {}),
    "ld": ({"latent_dynamics": 1.0}, {}),
    "ltc": ({"temporal_contrast": 0.5}, {"objectives.temporal_contrast.margin": 0.5}),
    "motion_guided": ({}, {"masker.motion": GUIDED}),
    "spectral": ({"spectral": 1.0}, {}),
    "future_predictive": ({}, {"masker.future": FUTURE}),
    "motion_future": ({}, {"masker.motion": GUIDED, "masker.future": FUTURE}),
    "hamiltonian": ({"hamiltonian": 1.0}, {"objectives.hamiltonian.dt": 0.1}),
    "sigreg": ({"sigreg": 1.0}, {}),
    "sigreg_no_ema": ({"sigreg": 1.0}, {"target.kind": "self"}),
    "velgate": ({"velocity_gate": 1.0}, {"objectives.velocity_gate.percentile": 0.5}),
    **{
        f"kinematic{suffix}": (
            {"kinematic": weight},
            {"target.kind": "self", **{f"objectives.kinematic.{key}": value for key, value in options.items()}},
        )
        for suffix, weight, options in (
            ("", 1.0, {"form": "l1"}),
            ("_0_1", 0.1, {"form": "l1"}),
            ("_huber", 0.1, {"form": "huber"}),
            ("_accel", 0.1, {"form": "acceleration"}),
            ("_split", 0.1, {"form": "acceleration", "share": 0.5}),
            ("_anneal", 0.1, {"form": "acceleration", "anneal": True}),
        )
    },
}  # fmt: skip
CONTROLS = {
    "motion_guided_matched", "amg_matched", "baseline_x1_3", "baseline_x2", "hw_t0_1", "hw_t0_03", "kinematic_context",
    "images_single",
}  # fmt: skip


def told(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["variants", *words]) == 0
    return capsys.readouterr().out


# -- the study as data


def test_the_study_has_35_configurations_of_28_objectives_and_88_results() -> None:
    assert len(configs()) == len({config.config for config in configs()}) == 35
    assert len(study_variants()) == 28 == len(STUDY)
    assert len(results()) == len({result.source_file for result in results()}) == 88
    assert set(variant_names()) == study_variants() | CONTROLS
    for config in configs():
        assert objective_overlay(config.objective).is_file() and regime_overlay(config.regime).is_file()


def test_results_belong_to_configurations_and_the_gaps_are_known() -> None:
    by_name = {config.config: config for config in configs()}
    assert all(result.pretraining_seed == by_name[result.config].seed for result in results())
    assert all(0 < result.accuracy_percent < 100 and result.benchmark in BENCHMARKS for result in results())
    assert {name for name in by_name if not results_of(name)} == {
        "mixed_4gpu_baseline_seed1337", "synth_2gpu_kinematic", "synth_2gpu_sigreg", "ucf101_2gpu_kinematic",
    }  # fmt: skip
    without_diving = {
        name for name in by_name if results_of(name) and "diving48" not in {r.benchmark for r in results_of(name)}
    }
    assert without_diving == {"mixed_4gpu_baseline", "mixed_4gpu_motion_guided"}
    seeds = {config.config: config.seed for config in configs() if config.seed != 239}
    assert seeds == {"mixed_4gpu_baseline_seed42": 42, "mixed_4gpu_baseline_seed1337": 1337}


def test_accuracies_are_counts_of_test_clips() -> None:
    """Each published percentage, to its two decimals, is a whole number of clips over the clips it was judged on."""
    for result in results():
        correct = round(result.accuracy_percent / 100 * result.test_clips)
        assert abs(100 * correct / result.test_clips - result.accuracy_percent) < 0.0051, result


def test_each_configuration_has_one_number_a_benchmark_by_the_probe_of_the_tables() -> None:
    main_probe = [(r.config, r.benchmark) for r in results() if r.probe in MAIN_PROBES]
    assert len(main_probe) == len(set(main_probe)) == 81


def test_the_half_budget_of_three_variants_is_in_the_data() -> None:
    short = {r.config for r in results() if r.probe_epochs == 50 and r.benchmark != "imagenet100"}
    assert short == {f"mixed_4gpu_{name}" for name in ("hw_ld", "fwm_ld", "fwm_hw_ld")}
    assert all(11 in defects_of(name.removeprefix("mixed_4gpu_")) for name in short)


@pytest.mark.parametrize("variant", sorted(study_variants()))
def test_overlays_say_what_the_study_configured(variant: str) -> None:
    model, base = merged(variant)["model"], merged("baseline")["model"]
    weights, slots = STUDY[variant]
    assert {name: term["weight"] for name, term in model["objectives"].items()} == {
        "prediction": 1.0, "context": 0.5, **weights,
    }  # fmt: skip
    assert all(look_up(model, key) == value for key, value in slots.items())
    touched_slots = {key for key in model if model[key] != base.get(key)} - {"objectives"}
    assert touched_slots == {key.partition(".")[0] for key in slots} - {"objectives"}


# -- the switches


@pytest.mark.parametrize(
    ("variant", "expected"),
    {
        "baseline": set(),
        "hw": set(),
        "ld": set(),
        "hw_ld": {"latent_dynamics.hard_weighting", "probe.epochs"},
        "fwm": {"layout", "orthogonality.precision"},
        "fwm_hw_ld": {"latent_dynamics.hard_weighting", "layout", "orthogonality.precision", "probe.epochs"},
        "amg": {"motion.norm", "motion.pool"},
        "kinematic": {"target.evaluate"},
        "sigreg": set(),
        "kinematic_context": set(),
    }.items(),
)
def test_readings_part_where_the_variant_touches_a_switch(variant: str, expected: set[str]) -> None:
    everywhere = set(touched(merged("baseline")))
    found = {key for key in touched(merged(variant)) if SWITCHES[key].differs}
    assert found - everywhere == expected


def test_every_switch_is_touched_by_some_variant() -> None:
    found = {key for config in configs() for key in touched(merged(config.objective, config.regime))}
    assert found == set(SWITCHES)


def test_a_switch_takes_the_overlay_over_the_reading() -> None:
    assert resolved("hard_region.temperature", merged("hw_t0_1"), "as_described") == 0.1
    assert resolved("motion.ratio_matched", merged("amg_matched"), "as_released") is True
    assert resolved("layout", merged("fwm"), "as_described") == "within_level"
    assert resolved("layout", merged("fwm"), "as_released") == "by_level"


# -- the command


def test_lists_every_configuration_with_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys)
    assert max(map(len, text.splitlines())) <= 135
    line = next(line for line in text.splitlines() if line.startswith("fwm_hw_ld"))
    assert line.split()[:6] == ["fwm_hw_ld", "[2,3,11]", "239", "8.38", "30.78", "11.60"]
    assert "latent_dynamics 1.0" in text and "8 controls that nobody has run" in text
    starts = [line.split()[0] for line in text.splitlines() if line[:1].isalpha() and "  " in line]
    assert sum(start in study_variants() for start in starts) == 35
    assert not CONTROLS & set(starts)
    assert "[1] not of a trained encoder" in text and "seed 42" in text


def test_json_holds_all_results_and_csv_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(told(capsys, "--format", "json", "--controls"))
    assert len(rows) == 35 + len(CONTROLS)
    found = {result["source_file"] for row in rows for result in row["results"]}
    assert found == {result.source_file for result in results()}
    lines = list(csv.DictReader(io.StringIO(told(capsys, "--format", "csv"))))
    assert len(lines) == 35
    chosen = next(line for line in lines if line["config"] == "mixed_4gpu_baseline_seed42")
    assert (chosen["diving48"], chosen["imagenet100"], chosen["ssv2"], chosen["seed"]) == (
        "8.68",
        "24.86",
        "8.39",
        "42",
    )


def test_readings_select_rows_and_print_their_switches(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "fwm_hw_ld", "--readings", "as_described,as_released")
    described, released = text.split("as_released  ", 1)
    assert "latent_dynamics.hard_weighting=detached_weights" in described and "layout=within_level" in described
    assert "latent_dynamics.hard_weighting=no_gradient" in released and "layout=by_level" in released
    # Released code made the numbers, so they stand beside that reading and no other.
    assert "30.78" not in described and "30.78" in released
    alone = select(["kinematic"], "ucf101", ["as_released"])
    assert [row.switches["target.evaluate"] for row in alone] == ["init"]


def test_names_globs_and_regimes_select() -> None:
    assert {row.variant for row in select(["kinematic*"], "ucf101")} == {n for n in STUDY if n.startswith("kinematic")}
    assert {row.config for row in select(["kinematic"])} == {
        "ucf101_4gpu_kinematic", "ucf101_2gpu_kinematic", "synth_2gpu_kinematic",
    }  # fmt: skip
    assert [row.seed for row in select(["mixed_4gpu_baseline_seed1337"])] == [1337]
    assert [row.kind for row in select(["amg_matched"])] == ["control"]
    assert {row.variant for row in select(["hw*"], controls=True)} == {"hw", "hw_ld", "hw_t0_1", "hw_t0_03"}


def test_controls_carry_no_published_number() -> None:
    rows = [row for row in select(controls=True) if row.kind == "control"]
    assert {row.variant for row in rows} == CONTROLS and not any(row.results or row.defects for row in rows)


def test_notes_are_those_of_the_defects_page() -> None:
    page = (ROOT / "docs" / "defects.md").read_text()
    assert all(f"\n## {note.defect}. " in page for note in NOTES)
    assert defects_of("kinematic_split") == defects_of("sigreg_no_ema") == (1,)
    assert 2 in defects_of("hw_ld") and 2 not in defects_of("fwm_ld") and defects_of("ld") == ()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fwm_hw_dl"], "did you mean 'fwm_hw_ld'?"),
        (["mixed_4gpu_basline"], "did you mean 'mixed_4gpu_baseline'?"),
        (["--regime", "ucf"], "expected one of mixed"),
        (["--readings", "as_releasd"], "did you mean 'as_released'?"),
        (["velgate", "--regime", "mixed"], "velgate: found in ucf101"),
    ],
)
def test_bad_input_names_the_nearest(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["variants", *words]) == 2
    assert expected in capsys.readouterr().err


def test_is_quick_because_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from experiments.cli import main; main(['variants', '--format', 'json'])\n"
        "assert not {'torch', 'lightning', 'numpy', 'jsonargparse', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_to_show_is_an_error() -> None:
    with pytest.raises(UserError, match="no such configuration in regime synth"):
        select(["fwm"], "synth")
