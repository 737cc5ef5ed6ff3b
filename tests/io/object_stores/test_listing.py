import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brim.io.object_stores.listing import folder_of, is_glob, wanted


@pytest.mark.parametrize(
    ("found", "url", "is_meant"),
    [
        ("s3://b/x/a.csv", "s3://b/x", True),
        ("s3://b/x/deep/er/a.csv", "s3://b/x/", True),
        ("s3://b/x/a.txt", "s3://b/x", False),
        ("s3://b/x/_tmp/a.csv", "s3://b/x", False),
        ("s3://b/x/.a.csv", "s3://b/x/*", False),
        ("s3://b/xy/a.csv", "s3://b/x", False),
        ("s3://b/x/a.txt", "s3://b/x/*.txt", True),
        ("s3://b/x/y/a.txt", "s3://b/x/*.txt", False),
        ("s3://b/x/y/a.csv", "s3://b/*", True),
        ("s3://b/x/y/a.txt", "s3://b/*", False),
        ("s3://b/x/y/a.csv", "s3://b/**/a.csv", True),
        ("s3://b/a.csv", "s3://b/**/a.csv", True),
        ("s3://b/x/y/a.txt", "s3://b/**", True),
        ("s3://b/2024-01.csv", "s3://b/202[45]-0?.csv", True),
        ("s3://b/2026-01.csv", "s3://b/202[!45]-0?.csv", True),
        ("s3://b/folder/", "s3://b/*", False),
    ],
)
def test_an_object_is_meant_as_a_file_would_be(found, url, is_meant):
    assert wanted(found, url, (".csv",)) is is_meant


@given(st.text("ab*?.", min_size=1, max_size=8), st.text("ab.", min_size=1, max_size=8))
def test_a_glob_within_a_folder_is_that_of_the_standard_library(pattern, name):
    if "**" in pattern or name.startswith(".") or not is_glob(pattern):
        return
    assert wanted(f"s3://b/x/{name}", f"s3://b/x/{pattern}", ()) is fnmatch.fnmatchcase(name, pattern)


def test_the_folder_that_is_listed_ends_before_the_first_wildcard():
    assert folder_of("s3://b/2024/0*/x/*.csv") == "s3://b/2024/"
    assert folder_of("s3://b/*") == "s3://b/"
    assert folder_of("s3://b") == "s3://b/"
