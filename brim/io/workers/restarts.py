"""Restarts: when the next worker may be started after deaths, and when no more are.

Deaths that nobody asked for count, in a row, until a call ends well. The first few cost no wait: workers die of many
things, and a row that kills is found by dying. Then each waits twice as long as the one before. Workers that were
ended for their memory count too, but are not waited for: that was no accident.
"""

from __future__ import annotations

from dataclasses import dataclass

FREE_DEATHS = 6
FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 2.0
MOST_DEATHS = 60  # more than finding one bad row among a billion takes
MOST_DEATHS_AT_START = 3  # of what dies before it was ever ready, more will die


@dataclass(slots=True)
class Restarts:
    """Deaths in a row of the workers of one function."""

    deaths: int = 0
    deaths_at_start: int = 0
    _not_before: float = float("-inf")

    def died(self, now: float, *, ready: bool) -> float:
        """A worker died, after or before it was ready; the seconds to wait before the next is started.

        >>> restarts = Restarts()
        >>> [restarts.died(0.0, ready=True) for _ in range(9)]
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.05, 0.1, 0.2]
        """
        self.deaths += 1
        self.deaths_at_start = 0 if ready else self.deaths_at_start + 1
        beyond = self.deaths - FREE_DEATHS
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (beyond - 1)) if beyond > 0 else 0.0
        self._not_before = now + wait_s
        return wait_s

    def starved(self) -> None:
        """A worker was ended because it took too much memory."""
        self.deaths += 1

    def succeeded(self) -> None:
        """A call ended well."""
        self.deaths = self.deaths_at_start = 0
        self._not_before = float("-inf")

    def wait_s(self, now: float) -> float:
        """Seconds until a worker may be started."""
        return max(0.0, self._not_before - now)

    @property
    def given_up(self) -> bool:
        """Whether none is started any more."""
        return self.deaths >= MOST_DEATHS or self.deaths_at_start >= MOST_DEATHS_AT_START
