"""How far this process tree grows, measured by a thread of the test's own: no number of the engine's is trusted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from brim.io.process_tree import ProcessTree

HOLD_64_MIB = """
import mmap, sys
held = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for _ in range(64):
    held.write(b"1" * (1 << 20))
print("ready", flush=True)
sys.stdin.readline()
"""
"""A program that writes so much, says "ready", and ends after a line of input."""

PEEK_S, PEEKS_PER_LOOK = 0.002, 10


@dataclass
class TreeWatch:
    """`growth` is the most bytes by which the tree has been seen to be larger than at the start."""

    growth: int = 0
    _tree: ProcessTree = field(default_factory=ProcessTree)
    _stop: threading.Event = field(default_factory=threading.Event)

    def watch(self, start: int) -> None:
        looks = 0
        while not self._stop.wait(PEEK_S):
            looks += 1
            held = self._tree.peek() if looks % PEEKS_PER_LOOK else self._tree.look()
            self.growth = max(self.growth, held - start)


@contextmanager
def tree_watched() -> Iterator[TreeWatch]:
    """A watch over what runs in the block."""
    watch = TreeWatch()
    thread = threading.Thread(target=watch.watch, args=(watch._tree.look(),))
    thread.start()
    try:
        yield watch
    finally:
        watch._stop.set()
        thread.join()
        watch._tree.close()
