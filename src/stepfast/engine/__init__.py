"""The protocol: what is claimed, run, recorded, sent, resumed and swept, decided in pure code behind the ports.

Knows neither SQLite nor AWS nor the wall clock: `ports` says what it needs of them.
"""
