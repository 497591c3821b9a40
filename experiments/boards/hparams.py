"""The HParams table in TensorBoard's own messages: its columns once, and a session for each row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf import struct_pb2
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata  # type: ignore[import-untyped]
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2  # type: ignore[import-untyped]

from experiments.boards.entries import Entry, Metric


def column_names(entries: Iterable[Entry]) -> dict[str, str]:
    """Names of the settings' columns by their titles, numbered: TensorBoard shows columns in the order of names."""
    titles = dict.fromkeys(setting.title for entry in entries for setting in entry.settings)
    return {title: f"{number:02d} {title}" for number, title in enumerate(titles)}


def experiment_summary(entries: Sequence[Entry], names: Mapping[str, str]) -> Summary:
    """Columns of the table: those of the first entry, then what others add.

    TensorBoard puts settings that differ first, and shows five settings and five metrics unless it is told otherwise.
    """
    settings: dict[str, list[str | float]] = {}
    metrics: dict[str, Metric] = {}
    for entry in entries:
        for setting in entry.settings:
            settings.setdefault(setting.title, []).append(setting.value)
        for metric in entry.metrics:
            metrics.setdefault(metric.tag, metric)
    experiment = api_pb2.Experiment(
        hparam_infos=[_column(names[title], title, values) for title, values in settings.items()],
        metric_infos=[
            api_pb2.MetricInfo(name=api_pb2.MetricName(tag=one.tag), display_name=one.title) for one in metrics.values()
        ],
    )
    return _summary(metadata.EXPERIMENT_TAG, experiment=experiment)


def session_summaries(entry: Entry, names: Mapping[str, str]) -> tuple[Summary, Summary]:
    """Start and end of the session that is one row."""
    start = plugin_data_pb2.SessionStartInfo(group_name=entry.name, start_time_secs=entry.seconds)
    for setting in entry.settings:
        start.hparams[names[setting.title]].CopyFrom(_value(setting.value))
    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=entry.seconds)
    return (
        _summary(metadata.SESSION_START_INFO_TAG, session_start_info=start),
        _summary(metadata.SESSION_END_INFO_TAG, session_end_info=end),
    )


def _column(name: str, title: str, values: Sequence[str | float]) -> api_pb2.HParamInfo:
    distinct = list(dict.fromkeys(values))
    info = api_pb2.HParamInfo(name=name, display_name=title, differs=len(distinct) > 1)
    if isinstance(distinct[0], str):
        info.type = api_pb2.DATA_TYPE_STRING
        info.domain_discrete.values.extend(map(_value, distinct))
    else:
        info.type = api_pb2.DATA_TYPE_FLOAT64
    return info


def _value(value: str | float) -> struct_pb2.Value:
    if isinstance(value, str):
        return struct_pb2.Value(string_value=value)
    return struct_pb2.Value(number_value=value)


def _summary(tag: str, **content: Any) -> Summary:
    data = plugin_data_pb2.HParamsPluginData(version=metadata.PLUGIN_DATA_VERSION, **content)
    plugin = SummaryMetadata.PluginData(plugin_name=metadata.PLUGIN_NAME, content=data.SerializeToString())
    return Summary(value=[Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin))])
