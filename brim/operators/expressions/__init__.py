"""Expressions: the tree, the function table, and the evaluator."""
