"""Remedies: what would relieve a bottleneck. A pure function of what the stage does and of what it lacks.

A sentence in the imperative, which names settings as they are written. Where more than one thing may help, the one that
costs least comes first.
"""

from __future__ import annotations

from brim.events import Resource
from brim.pipeline.kinds import OperatorKind
from brim.sizes import format_size

_BY_RESOURCE = {
    Resource.CONNECTIONS: "allow more at once (`max_connections=`), unless the servers ask for less",
    Resource.NETWORK: "ask nearer or quicker servers, or for less: more connections would not bring more",
    Resource.RATE_LIMIT: "raise `rate_limit=`, if the service allows it: the calls are spread in time as you said",
    Resource.THROTTLED: "ask the service for less at once (`concurrency=`, `rate_limit=`) or for a larger quota: it "
    "asked for a pause",
    Resource.DISK: "use a quicker disk, or write less to it",
    Resource.MEMORY: "give more `memory=`, or smaller batches (`batch_bytes=`)",
    Resource.CONSUMER: "read faster: the loop around `stream` is the slow part",
    Resource.WORKERS: "start more workers (`processes=`)",
    Resource.NO_INPUT: "make the iterable quicker, or let it yield larger batches",
    Resource.QUEUE_FULL: "look at the stage after it",
    Resource.CPU: "give it more cores (`threads=`), or less to do: filter and select before it",
}

_BY_KIND = {
    (OperatorKind.SOURCE, Resource.CPU): "read less (`columns=`, a filter right after it), or give more cores "
    "(`threads=`)",
    (OperatorKind.SOURCE, Resource.DISK): "read less (`columns=`, a filter right after it), or from a quicker disk",
    (OperatorKind.SOURCE, Resource.CONNECTIONS): "read more at once (`max_connections=`), or less (`columns=`)",
    (OperatorKind.SOURCE, Resource.NETWORK): "read less (`columns=`, a filter right after it), or from nearer by",
    (OperatorKind.SOURCE, Resource.NO_INPUT): "read less (`columns=`, a filter right after it), or from a quicker "
    "place",
    (OperatorKind.ITERABLE, Resource.CPU): "let the iterable yield larger batches, or give more cores (`threads=`)",
    (OperatorKind.THREAD_FUNCTION, Resource.CPU): 'run it in worker processes (`backend="process"`) if it is Python, '
    "else with more `concurrency=` and `threads=`",
    (OperatorKind.ASYNC_FUNCTION, Resource.CPU): "move what computes out of the async function: it holds up the loop",
    (OperatorKind.ASYNC_FUNCTION, Resource.CONNECTIONS): "let more calls be under way (`concurrency=`), unless the "
    "service asks for less",
    (OperatorKind.ASYNC_FUNCTION, Resource.NETWORK): "let more calls be under way (`concurrency=`), unless the service "
    "asks for less",
    (OperatorKind.MATERIALISING, Resource.DISK): "give more `memory=`, so that less is spilled, or a quicker "
    "`spill_dir=`",
    (OperatorKind.MATERIALISING, Resource.MEMORY): "give more `memory=`: what it keeps until its input ends must fit "
    "or be spilled",
    (OperatorKind.SINK, Resource.CPU): "write with a lighter compression, or give more cores (`threads=`)",
    (OperatorKind.SINK, Resource.DISK): "write to a quicker disk, or less: a stronger compression, fewer columns",
    (OperatorKind.SINK, Resource.CONNECTIONS): "write more at once (`max_connections=`), or less",
    (OperatorKind.PROCESS_FUNCTION, Resource.MEMORY): "give more `memory=`, or fewer rows a call (`batch_size=`)",
    (OperatorKind.THREAD_FUNCTION, Resource.MEMORY): "give more `memory=`, or fewer rows a call (`batch_size=`)",
}  # fmt: skip


def remedy(kind: OperatorKind, resource: Resource, *, workers: int = 0, worker_bytes: int = 0) -> str:
    """What would make a stage of this kind quicker, which lacks or is this resource.

    `workers` are the processes its function has, each of about `worker_bytes`; 0 where that is not known.

    >>> remedy(OperatorKind.DOWNLOAD, Resource.CONNECTIONS)
    'allow more at once (`max_connections=`), unless the servers ask for less'
    """
    if kind is OperatorKind.PROCESS_FUNCTION and resource in (Resource.CPU, Resource.WORKERS):
        return _more_workers(workers, worker_bytes)
    return _BY_KIND.get((kind, resource), _BY_RESOURCE[resource])


def _more_workers(workers: int, worker_bytes: int) -> str:
    have = f": all {workers} are busy" if workers > 1 else ": the one is busy" if workers else ""
    needs = f", and one more takes about {format_size(worker_bytes)} of `memory=`" if worker_bytes else ""
    return f"give it more workers (`processes=`{have}{needs}), or larger calls (`batch_size=`)"
