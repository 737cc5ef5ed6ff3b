"""The report as one HTML page that needs nothing else. `page` is the way in; one part of the page a file."""
