"""The text format, read again by Prometheus' own client: whatever stands in a label or a help comes back."""

from __future__ import annotations

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from brim.pipeline.metrics.exposition import exposition, prometheus_name
from brim.pipeline.metrics.family import BYTES, SECONDS, Description, Family

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats()


def read_back(text):
    return list(text_string_to_metric_families(text))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS.filter(lambda text: text == text.strip()), st.dictionaries(TEXTS, NUMBERS, min_size=1, max_size=5))
def test_what_is_told_is_what_is_read(text, values):
    description = Description("stage.queue", "gauge", BYTES, text)
    labelled = {(("run", "a"), ("operator", name)): value for name, value in values.items()}
    (family,) = read_back(exposition([Family(description, labelled)]))
    assert (family.name, family.type, family.documentation) == ("brim_stage_queue_bytes", "gauge", text)
    read = {sample.labels["operator"]: sample.value for sample in family.samples}
    assert read.keys() == values.keys()
    for name, value in values.items():
        assert read[name] == value or (math.isnan(read[name]) and math.isnan(value))


def test_a_counter_ends_in_total_and_units_are_base_units():
    assert prometheus_name(Description("stage.time", "counter", SECONDS, "")) == "brim_stage_time_seconds_total"
    text = exposition([Family(Description("rows", "counter", "{row}", "Rows."), {(): 2**60 + 1})])
    assert text == "# HELP brim_rows_total Rows.\n# TYPE brim_rows_total counter\nbrim_rows_total 1152921504606846977\n"


def test_a_family_without_values_is_not_told():
    assert exposition([Family(Description("workers", "gauge", "{process}", "Processes."), {})]) == ""


def test_the_three_signs_that_are_escaped_in_a_label():
    text = exposition([Family(Description("a", "gauge", "", 'say "\\\n"'), {(("b", 'one "two" \\ three\nfour'),): 1})])
    assert text == ('# HELP brim_a say "\\\\\\n"\n# TYPE brim_a gauge\nbrim_a{b="one \\"two\\" \\\\ three\\nfour"} 1\n')
