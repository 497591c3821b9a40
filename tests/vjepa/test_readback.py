"""Values on their way to the logger."""

from __future__ import annotations

import torch
from torch import nn

from vjepa.readback import ReadBack


def test_values_come_back_as_they_were_in_the_order_of_their_notes() -> None:
    notes, weight = ReadBack(), nn.Parameter(torch.tensor([1.0, 2.0]))
    notes.add({"loss": weight.sum(), "rate": 0.5})
    notes.add({"several": torch.arange(3), "half": torch.tensor(0.25, dtype=torch.bfloat16)})
    notes.add({"rate": 0.75})
    taken = notes.take()
    assert list(taken) == ["loss", "rate", "several", "half"]
    assert all(value.dtype == torch.float32 and not value.requires_grad for value in taken.values())
    assert [taken[name].item() for name in ("loss", "rate", "half")] == [3.0, 0.75, 0.25]
    assert taken["several"].tolist() == [0, 1, 2]


def test_what_was_taken_waits_no_more() -> None:
    notes = ReadBack()
    notes.add({"loss": 1.0})
    assert notes.take() and not notes.take()
