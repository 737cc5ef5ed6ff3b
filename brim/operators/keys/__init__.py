"""Keys: rows told apart, put in order and dealt out by columns of any type, in vectors."""
