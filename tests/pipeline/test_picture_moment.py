"""What was slowest of late: what most of the looks say, by its part of the waiting."""

from __future__ import annotations

from snapshots import run, stage

from brim.pipeline.picture_moment import bytes_of, lately, rows_of
from brim.pipeline.report import Bottleneck


def looks(*bottlenecks):
    return [run(stage(), bottleneck=one) for one in bottlenecks]


def test_what_is_slowest_is_what_most_looks_say():
    network, cpu = Bottleneck("download-2", "network", 1.0), Bottleneck("embed-3", "cpu", 0.5)
    assert lately(looks(cpu, network, network, None)) == Bottleneck("download-2", "network", 2 / 3)
    assert lately(looks(cpu, cpu, cpu, network)) == Bottleneck("embed-3", "cpu", 1.5 / 4)


def test_where_nobody_waited_nothing_is():
    assert lately(looks(None, None)) is None
    assert lately([]) is None


def test_a_sink_counts_what_it_took():
    sink = stage(rows_in=7, rows_out=1, bytes_in=70, bytes_out=9, writes=True)
    assert (rows_of(sink), bytes_of(sink)) == (7, 70)
    other = stage(rows_in=7, rows_out=1, bytes_in=70, bytes_out=9)
    assert (rows_of(other), bytes_of(other)) == (1, 9)
