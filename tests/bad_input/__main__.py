"""Write the page: `cd tests; python -m bad_input`."""

import tempfile
from pathlib import Path

from .outcomes import outcomes_in
from .page import PAGE, page

with tempfile.TemporaryDirectory() as folder, outcomes_in(Path(folder)) as outcomes:
    PAGE.write_text(page(outcomes.of))
