"""The story that `make demo` tells, with real processes, HTTP, PDF and e-mail."""
