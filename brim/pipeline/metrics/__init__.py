"""Metrics: the numbers of an engine for who collects such: Prometheus, OpenTelemetry.

A number is described once, as a family; the exposition and the instruments are two ways of telling it.

    EngineStats ── readings ──┐
                              ├──► Family ──► exposition      text for Prometheus
    events ──► Totals ────────┘         └───► instruments     of an OpenTelemetry meter
"""
