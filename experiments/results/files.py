"""Names of the files in the folder of an evaluation."""

RESULTS = "results.jsonl"
PREDICTIONS = "predictions.parquet"
CLIP_VALUES = "clips.parquet"
DONE = "EVALUATED.json"
"""Written last; an evaluation without it is not finished."""
