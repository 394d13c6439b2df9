"""`python studies NNN`: measure a study, or render all of them from their results."""

import sys

from laboratory.command import main

sys.exit(main(sys.argv[1:]))
