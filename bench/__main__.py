"""`python -m bench`."""

from bench.stepfast_bench import main

raise SystemExit(main())
