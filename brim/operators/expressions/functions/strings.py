"""`.str`: functions of strings. Positions and lengths count characters (code points) unless a name says bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import types

from brim.operators.expressions.cast import cast
from brim.operators.expressions.function import Function, Values, each_row, entry, rows_of, spread
from brim.operators.expressions.functions.patterns import checked, group_named, replacement
from brim.operators.expressions.functions.splitting import is_ascii, split_at_byte
from brim.operators.expressions.promotion import NoCommonType, is_text, meet

FUNCTIONS: dict[str, Function] = {}
TEXT = "strings"


def meet_texts(values: Sequence[Values], leaves: Sequence[Any]) -> list[Values]:
    """Strings of one width; a column of nothing but nulls passes for strings."""
    for value in values:
        if not (is_text(value.type) or types.is_null(value.type)):
            raise NoCommonType(f"{value.type} is no string")
    met = meet(values, leaves)
    return [pc.cast(value, pa.string()) if types.is_null(value.type) else value for value in met]


@entry(FUNCTIONS, "str.to_uppercase", TEXT, meet_texts)
def to_uppercase(text: Values) -> pa.Array:
    """In capitals.

    >>> call("str.to_uppercase", ["é", None])
    ['É', None]
    """
    return pc.utf8_upper(text)


@entry(FUNCTIONS, "str.to_lowercase", TEXT, meet_texts)
def to_lowercase(text: Values) -> pa.Array:
    """In small letters.

    >>> call("str.to_lowercase", ["ÀB"])
    ['àb']
    """
    return pc.utf8_lower(text)


@entry(FUNCTIONS, "str.to_titlecase", TEXT, meet_texts)
def to_titlecase(text: Values) -> pa.Array:
    """Each word with a capital.

    >>> call("str.to_titlecase", ["ada LOVELACE"])
    ['Ada Lovelace']
    """
    return pc.utf8_title(text)


@entry(FUNCTIONS, "str.len_chars", TEXT, meet_texts)
def len_chars(text: Values) -> pa.Array:
    """How many characters.

    >>> call("str.len_chars", ["né", ""])
    [2, 0]
    """
    return pc.binary_length(text) if is_ascii(text) else pc.utf8_length(text)


@entry(FUNCTIONS, "str.len_bytes", TEXT, meet_texts)
def len_bytes(text: Values) -> pa.Array:
    """How many bytes in UTF-8.

    >>> call("str.len_bytes", ["né", ""])
    [3, 0]
    """
    return pc.binary_length(text)


@entry(FUNCTIONS, "str.strip_chars", TEXT, meet_texts)
def strip_chars(text: Values, characters: str | None = None) -> pa.Array:
    """Without white space, or without any of `characters`, at both ends.

    >>> call("str.strip_chars", [" a "]), call("str.strip_chars", ["xxaxy"], characters="xy")
    (['a'], ['a'])
    """
    return pc.utf8_trim_whitespace(text) if characters is None else pc.utf8_trim(text, characters=characters)


@entry(FUNCTIONS, "str.strip_chars_start", TEXT, meet_texts)
def strip_chars_start(text: Values, characters: str | None = None) -> pa.Array:
    """Without white space, or any of `characters`, at the start.

    >>> call("str.strip_chars_start", [" a "])
    ['a ']
    """
    return pc.utf8_ltrim_whitespace(text) if characters is None else pc.utf8_ltrim(text, characters=characters)


@entry(FUNCTIONS, "str.strip_chars_end", TEXT, meet_texts)
def strip_chars_end(text: Values, characters: str | None = None) -> pa.Array:
    """Without white space, or any of `characters`, at the end.

    >>> call("str.strip_chars_end", [" a "])
    [' a']
    """
    return pc.utf8_rtrim_whitespace(text) if characters is None else pc.utf8_rtrim(text, characters=characters)


@entry(FUNCTIONS, "str.strip_prefix", TEXT, meet_texts)
def strip_prefix(text: Values, prefix: str) -> pa.Array:
    """Without `prefix`, where it begins with it.

    >>> call("str.strip_prefix", ["abc", "bc"], prefix="a")
    ['bc', 'bc']
    """
    return pc.if_else(pc.starts_with(text, prefix), pc.utf8_slice_codeunits(text, start=len(prefix)), text)


@entry(FUNCTIONS, "str.strip_suffix", TEXT, meet_texts)
def strip_suffix(text: Values, suffix: str) -> pa.Array:
    """Without `suffix`, where it ends with it.

    >>> call("str.strip_suffix", ["abc", "ab"], suffix="c")
    ['ab', 'ab']
    """
    if not suffix:
        return text
    return pc.if_else(pc.ends_with(text, suffix), pc.utf8_slice_codeunits(text, start=0, stop=-len(suffix)), text)


@entry(FUNCTIONS, "str.contains", TEXT, meet_texts)
def contains(text: Values, pattern: str, literal: bool = False) -> pa.Array:
    """Whether the regular expression, or the very text with `literal`, is found.

    >>> call("str.contains", ["a1", "b"], pattern="[0-9]"), call("str.contains", ["a.b"], pattern=".b", literal=True)
    ([True, False], [True])
    """
    if literal:
        return pc.match_substring(text, pattern=pattern)
    return pc.match_substring_regex(text, pattern=checked(pattern))


@entry(FUNCTIONS, "str.starts_with", TEXT, meet_texts)
def starts_with(text: Values, prefix: str) -> pa.Array:
    """Whether it begins with `prefix`.

    >>> call("str.starts_with", ["abc", "b"], prefix="ab")
    [True, False]
    """
    return pc.starts_with(text, pattern=prefix)


@entry(FUNCTIONS, "str.ends_with", TEXT, meet_texts)
def ends_with(text: Values, suffix: str) -> pa.Array:
    """Whether it ends with `suffix`.

    >>> call("str.ends_with", ["a.jpg", "a.png"], suffix=".jpg")
    [True, False]
    """
    return pc.ends_with(text, pattern=suffix)


@entry(FUNCTIONS, "str.find", TEXT, meet_texts)
def find(text: Values, pattern: str, literal: bool = False) -> pa.Array:
    """The byte at which the pattern is first found, null where it is not.

    >>> call("str.find", ["ab1", "c"], pattern="[0-9]")
    [2, None]
    """
    found = pc.find_substring(text, pattern) if literal else pc.find_substring_regex(text, checked(pattern))
    return pc.if_else(pc.less(found, 0), pa.scalar(None, found.type), found)


@entry(FUNCTIONS, "str.count_matches", TEXT, meet_texts)
def count_matches(text: Values, pattern: str, literal: bool = False) -> pa.Array:
    """How often the pattern is found, without overlap.

    >>> call("str.count_matches", ["banana"], pattern="an")
    [2]
    """
    return pc.count_substring(text, pattern) if literal else pc.count_substring_regex(text, checked(pattern))


@entry(FUNCTIONS, "str.replace", TEXT, meet_texts)
def replace(text: Values, pattern: str, value: str, literal: bool = False, n: int = 1) -> pa.Array:
    """The first `n` matches replaced by `value`, in which `$1` is the first group; all matches with n=-1.

    >>> call("str.replace", ["ab-cd"], pattern="(.)-(.)", value="$2-$1")
    ['ac-bd']
    """
    if literal:
        return pc.replace_substring(text, pattern=pattern, replacement=value, max_replacements=n)
    made = replacement(value)
    return pc.replace_substring_regex(text, pattern=checked(pattern), replacement=made, max_replacements=n)


@entry(FUNCTIONS, "str.replace_all", TEXT, meet_texts)
def replace_all(text: Values, pattern: str, value: str, literal: bool = False) -> pa.Array:
    """Every match replaced by `value`, in which `$1` is the first group.

    >>> call("str.replace_all", ["banana"], pattern="a", value="o")
    ['bonono']
    """
    return replace(text, pattern, value, literal=literal, n=-1)


@entry(FUNCTIONS, "str.split", TEXT, meet_texts)
def split(text: Values, by: str) -> pa.Array:
    """The parts between the occurrences of `by`.

    >>> call("str.split", ["a,b", ""], by=",")
    [['a', 'b'], ['']]
    """
    if not by:
        raise ValueError("split takes a separator that is not empty")
    made = split_at_byte(text, by.encode())
    return pc.split_pattern(text, pattern=by) if made is None else made


@entry(FUNCTIONS, "str.slice", TEXT, meet_texts)
def slice_text(text: Values, offset: int, length: int | None = None) -> pa.Array:
    """`length` characters from `offset` on, which counts from the end when negative; without `length`, all of them.

    >>> call("str.slice", ["hello"], offset=1, length=3), call("str.slice", ["hello"], offset=-2)
    (['ell'], ['lo'])
    """
    stop = None if length is None or offset < 0 <= offset + length else offset + length
    return pc.utf8_slice_codeunits(text, start=offset, stop=stop)


@entry(FUNCTIONS, "str.extract", TEXT, meet_texts)
def extract(text: Values, pattern: str, group_index: int = 1) -> pa.Array:
    """The text of a group (0 is the whole match) where the pattern is first found; null where it is not.

    >>> call("str.extract", ["id=42", "none"], pattern="id=([0-9]+)")
    ['42', None]
    """
    named, place = group_named(pattern, group_index)
    return pc.struct_field(pc.extract_regex(text, pattern=named), place)


@entry(FUNCTIONS, "str.pad_start", TEXT, meet_texts)
def pad_start(text: Values, length: int, fill_char: str = " ") -> pa.Array:
    """At least `length` characters, filled up at the start.

    >>> call("str.pad_start", ["7"], length=3, fill_char="0")
    ['007']
    """
    return pc.utf8_lpad(text, width=length, padding=fill_char)


@entry(FUNCTIONS, "str.pad_end", TEXT, meet_texts)
def pad_end(text: Values, length: int, fill_char: str = " ") -> pa.Array:
    """At least `length` characters, filled up at the end.

    >>> call("str.pad_end", ["7"], length=3, fill_char=".")
    ['7..']
    """
    return pc.utf8_rpad(text, width=length, padding=fill_char)


@entry(FUNCTIONS, "str.zfill", TEXT, meet_texts)
def zfill(text: Values, length: int) -> pa.Array:
    """At least `length` characters, zeros after the sign.

    >>> call("str.zfill", ["-7", "12"], length=4)
    ['-007', '0012']
    """
    return pc.utf8_zero_fill(text, width=length)


@entry(FUNCTIONS, "str.reverse", TEXT, meet_texts)
def reverse(text: Values) -> pa.Array:
    """The characters backwards.

    >>> call("str.reverse", ["né"])
    ['én']
    """
    return pc.utf8_reverse(text)


@entry(FUNCTIONS, "str.normalize", TEXT, meet_texts)
def normalize(text: Values, form: str = "NFC") -> pa.Array:
    r"""In one of the normal forms of Unicode: NFC, NFD, NFKC or NFKD.

    >>> call("str.normalize", ["e\u0301"]) == ["\u00e9"]
    True
    """
    return pc.utf8_normalize(text, form=form)


@entry(FUNCTIONS, "str.to_integer", TEXT, meet_texts)
def to_integer(text: Values, base: int = 10, strict: bool = True) -> pa.Array:
    """The whole number that it writes in `base`, an int64; else an error or, when not strict, null.

    >>> call("str.to_integer", ["12", "x"], strict=False), call("str.to_integer", ["ff"], base=16)
    ([12, None], [255])
    """
    if base == 10:  # noqa: PLR2004 - the base that a kernel knows
        return cast(text, pa.int64(), strict=strict)

    def parsed(digits: str) -> int | None:
        try:
            number = int(digits, base)
        except ValueError:
            number = None
        if number is not None and -(1 << 63) <= number < 1 << 63:
            return number
        if strict:
            raise ValueError(f"{digits!r} is no whole number in base {base} that fits int64")
        return None

    return each_row(parsed, text, pa.int64())


def meet_joined(values: Sequence[Values], leaves: Sequence[Any]) -> list[Values]:
    """Whatever can be written as a string, written so."""
    written = [value if is_text(value.type) else cast(value, pa.string()) for value in values]
    return meet_texts(written, leaves)


@entry(FUNCTIONS, "concat_str", "values that can be written as strings", meet_joined)
def concat_str(*texts: Values, separator: str = "", ignore_nulls: bool = False) -> pa.Array:
    """The strings of a row, one after another; null when one is null, unless `ignore_nulls`.

    >>> call("concat_str", ["a", None], ["b", "c"], separator="-", ignore_nulls=True)
    ['a-b', 'c']
    """
    if not ignore_nulls:
        return pc.binary_join_element_wise(*texts, pa.scalar(separator, texts[0].type))
    rows, nothing = rows_of(*texts), pa.scalar("", texts[0].type)
    led = [pc.binary_join_element_wise(separator, spread(text, rows), nothing) for text in texts]
    joined = pc.binary_join_element_wise(*[text.fill_null("") for text in led], nothing)
    return pc.utf8_slice_codeunits(joined, start=len(separator))  # the kernel's own "skip" loses rows
