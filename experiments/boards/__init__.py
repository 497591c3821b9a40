"""TensorBoard over a whole ablation: a sortable table of its cells, and pages of charts that compare its runs."""

from experiments.boards.write import BOARD, write_boards

__all__ = ["BOARD", "write_boards"]
