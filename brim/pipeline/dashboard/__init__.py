"""The live page of an engine: what runs, what holds the memory, what everybody waits for.

engine.stats() ──► sampler ──► moment ──► /events ──► page
events ──► event tap (the last few hundred; what they say of runs) ──┘

The engine is only looked at: what is shown is asked four times a second while somebody watches, who waits for whom more
often, all once a second else; it is told nothing. Who reads slowly misses something; he holds up nobody.
"""
