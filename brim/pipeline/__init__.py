"""From declaration to run: builder, nodes, rules, lower, allot, plan, ledger, queue, run, engine, report."""
