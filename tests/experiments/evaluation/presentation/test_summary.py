"""The table after an evaluation: its numbers, what is undefined, and what it cannot say."""

from __future__ import annotations

import dataclasses

from experiments.evaluation.presentation.summary import summary_text
from tests.experiments.evaluation.presentation.outcomes import (
    INIT,
    NUM_CLIPS,
    PIXELS,
    RUN,
    falling,
    first,
    judged,
    row,
    selectivity,
)

ROWS = [
    *judged(PIXELS, falling(0.9, 0.02))[0],
    *judged(INIT, falling(0.3, 0.01))[0],
    *judged(RUN, falling(0.9, 0.1))[0],
    row(RUN, "os", 0.71, ("local_shuffle", 5)),
]


def line(text: str, *words: str) -> list[str]:
    (found,) = [one.split() for one in text.splitlines() if all(word in one for word in words)]
    return found


def test_every_encoder_has_its_numbers() -> None:
    text = summary_text(ROWS)
    assert line(text, "motion", "fwm") == [
        "motion", "fwm", "90.0", str(NUM_CLIPS), "25.0", "60.0", "60.0", "60.0", "60.0", "0.54", "0.71",
    ]  # fmt: skip
    assert line(text, "motion", "random init")[-2:] == ["\u2013", "\u2013"]
    assert "\u2013 Undefined: clean accuracy is not 3 standard errors above" in text
    assert "OS, order sensitivity" in text and "Constant" not in text and "Selectivity" not in text
    assert max(map(len, text.splitlines())) <= 110


def test_the_limits_come_last() -> None:
    paragraph = " ".join(summary_text(ROWS).split("\n\n")[-1].split())
    assert paragraph.startswith("What these numbers cannot say: they come from one training run, judged on 80 test")
    assert "no interval over pretraining seeds" in paragraph
    two = [*ROWS, *judged(dataclasses.replace(RUN, variant="ld"), falling(0.8, 0.1))[0]]
    assert "2 training runs, one a row" in summary_text(two)


def test_clean_probes_alone_have_no_columns_of_corruptions() -> None:
    clean = [one for one in ROWS if one.corruption == "none"]
    text = summary_text(clean)
    assert line(text, "motion", "fwm") == ["motion", "fwm", "90.0", "80", "25.0"]
    assert "mPC" not in text and "OS" not in text and "Undefined" not in text


def test_constant_predictors_and_broken_clips_are_marked() -> None:
    changed = [dataclasses.replace(one, excluded=3) for one in ROWS]
    changed = [dataclasses.replace(one, value=1.0) if one.metric == "constant_predictor" else one for one in changed]
    text = summary_text(changed)
    assert line(text, "motion", "fwm")[2] == "90.0\u2020"
    assert "\u2020 Constant predictor" in text
    assert "3 clips of a task are missing" in text


def test_each_layout_has_its_index_with_its_p_value() -> None:
    rows = [*ROWS, *selectivity(RUN, 0.25, 0.0099), *selectivity(RUN, -0.0001, 0.6, "by_level")]
    text = summary_text(rows)
    assert f"Subspace Selectivity Index, glyphs, core, n = {NUM_CLIPS} test clips" in text
    table = text[text.index("Subspace") :]
    assert line(table, "fwm") == ["fwm", "+0.250", "0.010", "+0.100", "+0.000", "0.600", "+0.100"]


def test_two_profiles_and_two_probes_have_a_table_each() -> None:
    smoke = judged(RUN, falling(0.9, 0.1), "smoke")[0]
    knn = judged(RUN, {("none", 0): first(0.5)}, probe="knn")[0]
    text = summary_text([*ROWS, *smoke, *knn])
    assert text.count("Test accuracy in %") == 3
    assert "mPC, smoke" in text and "mPC, core" in text and "knn probe" in text


def test_rows_without_a_probe_say_so() -> None:
    assert summary_text(selectivity(RUN, 0.25, 0.01)).endswith("No probe was judged on test clips.")
