"""The graph of a plan: no box lies on another, and every box is left of, or in a row above, the one that reads it."""

from __future__ import annotations

import itertools

import made_reports
from hypothesis import given, settings

from brim.pipeline.report_html.plan_graph import BOX, COLUMNS, HIGH, layout


def _row(inputs, count):
    return [() if not i else (i - 1,) for i in range(count)] if inputs is None else inputs


@settings(deadline=None)
@given(made_reports.trees())
def test_boxes_do_not_overlap_and_stand_in_the_order_of_the_plan(inputs):
    places = layout(inputs)
    for one, other in itertools.combinations(places, 2):
        apart = abs(one.x - other.x) >= BOX or abs(one.y - other.y) >= HIGH
        assert apart, (one, other)
    for target, sources in enumerate(inputs):
        for source in sources:
            before, after = places[source], places[target]
            assert before.x < after.x or before.y < after.y
            assert before.column < after.column


def test_a_short_plan_is_one_row_and_a_long_one_rows_of_about_the_same_length():
    for count in range(1, COLUMNS + 1):
        assert len({place.y for place in layout(_row(None, count))}) == 1
    rows = [place.y for place in layout(_row(None, 11))]
    assert [rows.count(y) for y in dict.fromkeys(rows)] == [6, 5]
