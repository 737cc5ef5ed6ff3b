"""Joins: which rows of two inputs belong together, and what is made of them."""
