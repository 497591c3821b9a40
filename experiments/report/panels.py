"""How panels and legends are laid out on a figure."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_LETTERS_PER_INCH, _LETTERS_OF_A_MARK = 12, 8


def panel_grid(figure: Figure, count: int, columns: int) -> list[Axes]:
    """Panels row by row; what the last row lacks stays empty, and panels above a gap keep their own tick labels."""
    rows = -(-count // columns)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axis in grid.flat[count:]:
        axis.remove()
    for column in range(columns):
        last = (count - 1 - column) // columns
        if 0 <= last < rows:
            grid[last, column].tick_params(axis="x", labelbottom=True)
    return list(grid.flat[:count])


def grid_columns(count: int, most: int = 4) -> int:
    """Columns of a grid of panels that leaves few gaps."""
    rows = -(-count // most)
    return max(1, -(-count // rows)) if count else 1


def legend_below(figure: Figure, handles: Sequence[Artist]) -> None:
    """Put a legend under all panels, in as many columns as its longest entry allows."""
    longest = max(len(str(handle.get_label())) for handle in handles)
    room = int(_LETTERS_PER_INCH * figure.get_figwidth() / (longest + _LETTERS_OF_A_MARK))
    figure.legend(handles=handles, loc="outside lower center", ncols=max(1, min(4, len(handles), room)))
