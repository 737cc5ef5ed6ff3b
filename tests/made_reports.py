"""Reports of runs that never were, of any shape and with any text in them."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import strategies as st

from brim.pipeline.history import Sample
from brim.pipeline.kinds import OperatorKind
from brim.pipeline.report import Bottleneck, OperatorReport, Report, WaitChain

HOSTILE = (
    "</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "<!--", "]]>", "'; alert(1); '", "&lt;b&gt;",
    "</style><style>*{}</style>", "javascript:alert(1)", "\u2028\u2029", "\x00\x1f", "漢字 é", "\ud800", "a" * 300,
)  # fmt: skip
TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=12)
COUNTS, SECONDS = st.integers(0, 10**12), st.floats(0, 1e5)


@st.composite
def trees(draw):
    """Of each stage, those it reads: all before it, each read by one."""
    inputs, open_ends = [], []
    for place in range(draw(st.integers(1, 9))):
        count = draw(st.integers(0, min(3, len(open_ends))))
        inputs.append(tuple(open_ends[len(open_ends) - count :]))
        open_ends = [*open_ends[: len(open_ends) - count], place]
    if len(open_ends) > 1:
        inputs.append(tuple(open_ends))
    return inputs


@st.composite
def operators(draw, inputs):
    def one(place):
        return OperatorReport(
            draw(TEXTS) + str(place), draw(TEXTS), *(draw(COUNTS) for _ in range(4)), *(draw(SECONDS) for _ in range(5)),
            errors=draw(COUNTS), retries=draw(COUNTS), kind=draw(st.sampled_from(OperatorKind)), detail=draw(TEXTS),
            inputs=inputs[place], queue_peak_bytes=draw(COUNTS), outside_s=draw(st.lists(st.tuples(TEXTS, SECONDS)).map(tuple)),
        )  # fmt: skip

    return tuple(one(place) for place in range(len(inputs)))


@st.composite
def histories(draw, stages):
    count = draw(st.integers(0, 6))
    ends = list(accumulate(draw(st.lists(st.floats(0.001, 1e3), min_size=count, max_size=count))))

    def each(values):
        return draw(st.lists(values, min_size=stages, max_size=stages).map(tuple))

    return tuple(
        Sample(
            end, draw(st.none() | COUNTS), *(draw(COUNTS) for _ in range(6)), each(COUNTS), each(COUNTS), each(COUNTS),
            each(st.tuples(*[SECONDS] * 5)), each(TEXTS), each(st.none() | TEXTS),
        )
        for end in ends
    )  # fmt: skip


@st.composite
def reports(draw):
    """A report of a tree of operators."""
    inputs = draw(trees())
    made = draw(operators(inputs))
    names = st.sampled_from([operator.id for operator in made] + ["consumer"])
    bottleneck = st.builds(Bottleneck, names, TEXTS, st.floats(0, 1), TEXTS)
    chain = st.builds(WaitChain, st.lists(names, min_size=1).map(tuple), TEXTS, st.floats(0, 1))
    return Report(
        draw(COUNTS), draw(SECONDS), *(draw(COUNTS) for _ in range(3)), draw(st.none() | bottleneck), made,
        draw(st.lists(TEXTS).map(tuple)), draw(COUNTS), draw(st.none() | chain), draw(histories(len(inputs))),
    )  # fmt: skip
