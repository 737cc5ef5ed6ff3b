"""pandas is loaded when somebody imports it, and pyarrow then knows it as ever."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pyarrow as pa
import pytest
from udf_kit import arrays, ids, run

pytestmark = pytest.mark.skipif(find_spec("pandas") is None, reason="pandas is not installed")


def _in_a_new_process(code, *, hidden=True):
    program = f"from brim.pandas_later import load_pandas_later; load_pandas_later()\n{code}" if hidden else code
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return told.stdout.split()


def test_arrays_are_made_without_pandas_until_somebody_imports_it():
    assert _in_a_new_process("import sys, pyarrow as pa; pa.array([1, 2]); print('pandas' in sys.modules)") == ["False"]


def test_a_series_is_one_for_pyarrow_whenever_pandas_was_imported():
    code = "import pandas as pd, pyarrow as pa; print(pa.array(pd.Series([1.0, float('nan')])).null_count)"
    assert _in_a_new_process(code) == ["1"]
    assert _in_a_new_process("import pandas.api.types; " + code) == ["1"]


def test_a_table_becomes_a_data_frame_although_nobody_imported_pandas():
    assert _in_a_new_process("import pyarrow as pa; print(pa.table({'a': [7]}).to_pandas()['a'].sum())") == ["7"]


def test_other_threads_import_pandas_while_it_is_hidden_from_one():
    code = """
import sys, threading, pyarrow as pa
from brim import pandas_later
finder = pandas_later._Finder(hidden_from=-1)
sys.meta_path.insert(0, finder)
def hide():
    finder.hidden_from = threading.get_ident()
    ready.set()
    done.wait()
ready, done = threading.Event(), threading.Event()
threading.Thread(target=hide).start()
ready.wait()
import pandas
done.set()
print(pa.array(pandas.Series([float("nan")])).null_count)
"""
    assert _in_a_new_process(code, hidden=False) == ["1"]


def test_it_is_found_but_not_loaded_by_who_only_asks_whether_it_is_there():
    code = "import importlib.util, sys; s = importlib.util.find_spec('pandas'); print('pandas' in sys.modules, s.name)"
    assert _in_a_new_process(code) == ["False", "pandas"]
    code += "; import pandas as pd, pyarrow as pa; print(pa.array(pd.Series([float('nan')])).null_count)"
    assert _in_a_new_process(code) == ["False", "pandas", "1"]


def test_a_pipeline_runs_without_pandas():
    code = """
import sys, brim
from brim import col
rows = brim.from_pydict({"a": [1, 2, 3]}).filter(col("a") > 1).agg(s=col("a").sum(), n=col("a").count())
made = rows.collect_blocking(memory="256MiB")
print(made["s"][0], "pandas" in sys.modules)
"""
    assert _in_a_new_process(code, hidden=False) == ["5", "False"]


def test_repeating_it_installs_nothing_twice():
    code = "import sys; n = len(sys.meta_path); load_pandas_later(); print(len(sys.meta_path) - n)"
    assert _in_a_new_process(code) == ["0"]


def test_pandas_is_the_module_it_always_is():
    code = "import pandas, inspect; print(type(pandas.__spec__.loader).__name__, inspect.getsource(pandas) != '')"
    assert _in_a_new_process(code) == ["SourceFileLoader", "True"]


def knows_pandas(a):
    return pa.array(["pandas" in sys.modules] * len(a))


def uses_pandas(a):
    import pandas as pd

    return pa.array(pd.Series(a.to_pylist()) + 0.5)


def test_a_function_in_a_worker_has_pandas_only_when_it_uses_it():
    assert run(arrays(knows_pandas, pa.bool_()), ids(0, 2), processes=1).table()["made"].to_pylist() == [False, False]
    assert run(arrays(uses_pandas, pa.float64()), ids(0, 2), processes=1).table()["made"].to_pylist() == [0.5, 1.5]
