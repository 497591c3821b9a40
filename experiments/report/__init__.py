"""The report: one reading of the result rows, written as Markdown, as HTML and for the terminal."""

from experiments.report.console import format_console_table
from experiments.report.facts import Comparison, ReportFacts, ReportPaths, Scalars, TrainingCurve
from experiments.report.render import render
from experiments.report.scalars import read_scalars
from experiments.report.wording import summary_sentence

__all__ = [
    "Comparison",
    "ReportFacts",
    "ReportPaths",
    "Scalars",
    "TrainingCurve",
    "format_console_table",
    "read_scalars",
    "render",
    "summary_sentence",
]
