"""Workers: where user functions run. Processes of our own, threads, or the event loop.

    pools ── a pool a function ── a life a worker ══ channel ══ worker_main, forked by the template
                                  payload, segment: Arrow IPC in shared memory

The engine's side of worker processes, from the call to the process:

    in_process    a call: its batch is written, it waits for its turn, its reply is mapped
    request       what pool and caller know of it
    pool          the line of calls of one function; decides which begins, in which worker, with which loan
    roster        the workers, and which of them is free; appetite what calls take, worker_memory what one worker holds
    lives         workers started, sent their function, heard, ended; restarts when, oom_kills who else may have done it
    process       one process: spoken to, drained (printed), signalled; started how it is seen, spawn and template
                  where it comes from, devices where it sits
    pools         all pools of an engine: which serves whom, which workers are too many or hold too much

The other side is `template_main` and `worker_main`, with `own_memory`, which measures. Both speak `messages`.
Threads are `in_thread`, the loop `on_loop` with `entrance` and `throttling`.

A batch is copied once on its way to a worker and once on its way back: the write into shared memory, which the other
side maps.
"""
