"""Downloads: a column of URLs becomes a column of bodies, in order and within the budget."""
