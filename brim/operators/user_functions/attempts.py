"""Attempts: when a call that failed is made again."""

from __future__ import annotations

from random import Random

from brim.errors import BrimError, UdfContractError, UdfError, WorkerDied
from brim.events import Resource, Retried
from brim.operators.protocol import Stage
from brim.operators.user_functions.user_function import UserFunction

FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 30.0


def wait_before(attempt: int, random: Random) -> float:
    """Seconds to wait before attempt `attempt` + 1: up to twice as long each time, with full jitter."""
    return random.uniform(0, min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempt))


def may_try_again(error: BrimError, attempt: int, retries: int) -> bool:
    """Whether a call whose attempt `attempt` (from 1) ended with `error` is made again.

    What a function returns is no accident: a broken contract is not tried again.
    """
    return attempt <= retries and isinstance(error, UdfError | WorkerDied) and not isinstance(error, UdfContractError)


async def wait_to_try_again(function: UserFunction, attempt: int, reason: str, stage: Stage) -> None:
    """Tell of it, and wait."""
    wait_s = wait_before(attempt, stage.random)
    stage.tell(Retried(function.name, attempt, wait_s, reason))
    with stage.waiting(Resource.THROTTLED):  # by itself: neither workers nor cores would help
        await stage.clock.sleep(wait_s)
