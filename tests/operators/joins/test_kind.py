"""What a join sends: the columns, their names, and what cannot be joined."""

from __future__ import annotations

import pyarrow as pa
import pytest

from brim.errors import PlanError
from brim.operators.joins.kind import JoinKeys, join_spec

LEFT = pa.schema([("k", pa.int64()), ("v", pa.string())])
RIGHT = pa.schema([("k", pa.int64()), ("v", pa.float64()), ("w", pa.int8())])
ON_K = JoinKeys(("k",), ("k",))


@pytest.mark.parametrize(
    ("how", "names"),
    [
        ("inner", ["k", "v", "v_right", "w"]),
        ("left", ["k", "v", "v_right", "w"]),
        ("full", ["k", "v", "v_right", "w"]),
        ("semi", ["k", "v"]),
        ("anti", ["k", "v"]),
    ],
)
def test_a_shared_key_is_one_column_and_other_names_get_the_suffix(how, names):
    assert join_spec("join-3", how, LEFT, RIGHT, ON_K, "_right").schema.names == names


def test_keys_of_two_names_both_go_on():
    spec = join_spec(
        "join-3", "inner", LEFT, RIGHT.remove(1).set(0, pa.field("id", pa.int64())), JoinKeys(("k",), ("id",)), "_r"
    )
    assert spec.schema.names == ["k", "v", "id", "w"]


def test_a_cross_join_has_all_columns():
    assert join_spec("j", "cross", LEFT, RIGHT, JoinKeys((), ()), "_r").schema.names == ["k", "v", "k_r", "v_r", "w"]


@pytest.mark.parametrize(
    ("how", "keys", "suffix", "words"),
    [
        ("outer", ON_K, "_r", "how is one of inner, left"),
        ("cross", ON_K, "_r", "a cross join has no keys"),
        ("inner", JoinKeys((), ()), "_r", "say on="),
        ("inner", JoinKeys(("k", "v"), ("k",)), "_r", "as many columns"),
        ("inner", JoinKeys(("v",), ("v",)), "_r", "cast one of them"),
        ("inner", ON_K, "", "choose another suffix"),
    ],
)
def test_what_cannot_be_joined_is_refused_with_what_to_do(how, keys, suffix, words):
    with pytest.raises(PlanError, match=words):
        join_spec("join-3", how, LEFT, RIGHT, keys, suffix)
