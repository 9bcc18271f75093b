"""The embedded backend: one SQLite file with one owner process. `store` is the way in."""
