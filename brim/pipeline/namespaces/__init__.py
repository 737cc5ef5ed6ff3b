"""Methods of expressions by the kind of their values: one namespace a file."""
