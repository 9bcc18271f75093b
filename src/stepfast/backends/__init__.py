"""Stores and queues behind the ports: SQLite on one machine."""
