"""The demo: photographs to work on, a server to get them from, a picture of what came of them."""
