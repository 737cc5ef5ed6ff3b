"""Workers: where user functions run. Processes of our own, threads, or the event loop.

    pools ── one pool a function ── one process a worker ══ channel ══ worker_main
                                                         payload: Arrow IPC in sealed shared memory

A batch is copied once on its way to a worker and once on its way back: the write into shared memory, which the other
side maps.
"""
