"""HTTP/1.1 as downloads need it: bodies go from the socket into the memory that was borrowed for them."""
