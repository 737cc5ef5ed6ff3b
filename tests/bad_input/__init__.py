"""Bad input, a table: each case makes something bad, runs a whole pipeline over it, and says what must come of it."""
