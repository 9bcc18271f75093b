"""A simulated shop in one SQLite file: payment provider, warehouse and carrier.

It behaves as the real ones should: a call repeated with its idempotency key changes nothing and
answers as the first time. Every call is one transaction behind SQLite's file lock, so threads and
processes may call at once, and a killed process leaves nothing half done.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from .models import OrderLine, Parcel, Payment, Reservation

OUT_OF_STOCK, UNSHIPPABLE = "OUT-OF-STOCK", "UNSHIPPABLE"
FIRST_STOCK = 100  # The stock of every article before its first sale.
LOCK_SECONDS = 20.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS payments (
    key TEXT PRIMARY KEY, payment_id TEXT UNIQUE, order_id TEXT, amount TEXT, refunded INTEGER DEFAULT 0
);
CREATE TABLE IF NOT EXISTS reservations (
    key TEXT PRIMARY KEY, reservation_id TEXT UNIQUE, order_id TEXT, released INTEGER DEFAULT 0
);
CREATE TABLE IF NOT EXISTS reserved (reservation_id TEXT, sku TEXT, quantity INTEGER);
CREATE TABLE IF NOT EXISTS stock (sku TEXT PRIMARY KEY, pieces INTEGER);
CREATE TABLE IF NOT EXISTS parcels (
    key TEXT PRIMARY KEY, tracking TEXT UNIQUE, order_id TEXT, reservation_id TEXT
);
"""


class Rejected(Exception):
    """A refusal for business reasons. The same request is refused again, so a retry does not help."""


class OutOfStock(Rejected):
    """The warehouse has fewer pieces than ordered."""


class NotShippable(Rejected):
    """The carrier does not take the goods."""


class KeyReused(Rejected):
    """An idempotency key was used for two different requests."""


class Shop:
    """The shop. All calls are idempotent: those that create something by a key, those that undo it by its id."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "shop.db"

    def charge(self, key: str, order_id: str, amount: Decimal) -> Payment:
        """Charges the amount once per key. Raises KeyReused when the key was used with another amount."""
        payment = Payment(payment_id=_id("pay", key), amount=amount)
        with self._transaction() as database:
            known = database.execute("SELECT order_id, amount FROM payments WHERE key = ?", (key,)).fetchone()
            if known is None:
                database.execute(
                    "INSERT INTO payments (key, payment_id, order_id, amount) VALUES (?, ?, ?, ?)",
                    (key, payment.payment_id, order_id, str(amount)),
                )
            elif (known["order_id"], Decimal(known["amount"])) != (order_id, amount):
                raise KeyReused(f"key {key} was used to charge {known['amount']} for {known['order_id']}")
        return payment

    def refund(self, payment_id: str) -> None:
        """Refunds the whole amount. A second call has no effect."""
        with self._transaction() as database:
            database.execute("UPDATE payments SET refunded = 1 WHERE payment_id = ?", (payment_id,))

    def reserve(self, key: str, order_id: str, lines: Iterable[OrderLine]) -> Reservation:
        """Reserves all lines or none. Raises OutOfStock, which names the article."""
        reservation = Reservation(reservation_id=_id("res", key))
        with self._transaction() as database:
            if not _first(database, "reservations", key):
                return reservation
            database.execute(
                "INSERT INTO reservations (key, reservation_id, order_id) VALUES (?, ?, ?)",
                (key, reservation.reservation_id, order_id),
            )
            for line in lines:
                _take(database, line)
                database.execute(
                    "INSERT INTO reserved VALUES (?, ?, ?)",
                    (reservation.reservation_id, line.sku, line.quantity),
                )
        return reservation

    def release(self, reservation_id: str) -> None:
        """Returns the goods to the stock. A second call has no effect."""
        with self._transaction() as database:
            released = database.execute(
                "UPDATE reservations SET released = 1 WHERE reservation_id = ? AND released = 0",
                (reservation_id,),
            )
            if released.rowcount:
                database.execute(
                    "UPDATE stock SET pieces = pieces + (SELECT SUM(quantity) FROM reserved"
                    " WHERE reservation_id = ? AND reserved.sku = stock.sku)"
                    " WHERE sku IN (SELECT sku FROM reserved WHERE reservation_id = ?)",
                    (reservation_id, reservation_id),
                )

    def ship(self, key: str, order_id: str, reservation_id: str) -> Parcel:
        """Hands the reserved goods to the carrier. Raises NotShippable, which names the article."""
        parcel = Parcel(tracking=_id("trk", key))
        with self._transaction() as database:
            if not _first(database, "parcels", key):
                return parcel
            skus = database.execute("SELECT sku FROM reserved WHERE reservation_id = ?", (reservation_id,))
            if any(row["sku"] == UNSHIPPABLE for row in skus):
                raise NotShippable(f"the carrier does not take {UNSHIPPABLE}")
            database.execute(
                "INSERT INTO parcels VALUES (?, ?, ?, ?)", (key, parcel.tracking, order_id, reservation_id)
            )
        return parcel

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of a table, oldest first: payments, reservations, reserved, stock or parcels."""
        with self._transaction() as database:
            return [dict(row) for row in database.execute(f"SELECT * FROM {table} ORDER BY rowid")]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=LOCK_SECONDS, isolation_level=None)) as database:
            database.row_factory = sqlite3.Row
            # BEGIN IMMEDIATE locks the file before the first read, so that no other order can take the same last piece.
            database.execute("BEGIN IMMEDIATE")
            try:
                for statement in SCHEMA.split(";"):
                    database.execute(statement)
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise


def _first(database: sqlite3.Connection, table: str, key: str) -> bool:
    return database.execute(f"SELECT 1 FROM {table} WHERE key = ?", (key,)).fetchone() is None


def _take(database: sqlite3.Connection, line: OrderLine) -> None:
    pieces = 0 if line.sku == OUT_OF_STOCK else FIRST_STOCK
    database.execute("INSERT OR IGNORE INTO stock VALUES (?, ?)", (line.sku, pieces))
    taken = database.execute(
        "UPDATE stock SET pieces = pieces - ? WHERE sku = ? AND pieces >= ?",
        (line.quantity, line.sku, line.quantity),
    )
    if not taken.rowcount:
        raise OutOfStock(f"fewer than {line.quantity} pieces of {line.sku} in stock")


def _id(prefix: str, key: str) -> str:
    # The id is derived from the key, so that a repeated call gets the same id without a lookup.
    return f"{prefix}-{sha256(key.encode()).hexdigest()[:16]}"
