"""A service under load: fifty clients of different sizes on one engine, some slow, some leaving; and what it did to them.

`python -m service_run --seconds 120 --clients 50` (in `tests/`, or `make service SECONDS=120`). Four processes: the
service, whose tree of processes is measured from outside; clients that load it; clients whose answers are timed; and
the one that starts them and says what came of it.
"""
