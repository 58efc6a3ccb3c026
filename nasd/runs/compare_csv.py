"""The numbers of a comparison as a CSV file."""

import csv
import io
from collections.abc import Sequence

from nasd.runs.compare import MEASURES, Group, by_seconds, by_trial, duels, probability, shared_trials

HEADER = ("group", "against", "runs", "measure", "axis", "at", "value", "low", "high")


def table(groups: Sequence[Group]) -> str:
    """A row a point: `best` and `mean` by `trial` and by `second`; `beats` by `trial`, its last with an interval."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    for one in groups:
        for measure in MEASURES:
            for axis, series in (("trial", by_trial(one, measure)), ("second", by_seconds(one, measure))):
                for at, value, low, high in zip(series.at, series.mean, series.low, series.high, strict=True):
                    shown = int(at) if axis == "trial" else float(at)
                    writer.writerow(
                        (one.label, "", len(one.runs), measure, axis, shown, float(value), float(low), float(high))
                    )
    named = {one.label: one for one in groups}
    for end in duels(groups):
        one, other = named[end.group], named[end.against]
        last = shared_trials([one, other])
        for trial, value in enumerate(probability(one, other), 1):
            interval = (end.low, end.high) if trial == last else ("", "")
            writer.writerow((one.label, other.label, len(one.runs), "beats", "trial", trial, float(value), *interval))
    return text.getvalue()
