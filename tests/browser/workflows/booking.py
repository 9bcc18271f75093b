"""A booking whose input has whatever a schema can say: nested, listed, chosen, optional, dated, one of several."""

from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, Field

from stepfast import step, workflow


class Board(StrEnum):
    NONE = "none"
    HALF = "half"
    FULL = "full"


class Room(BaseModel):
    beds: int = Field(ge=1, le=4)
    board: Board = Board.NONE


class Card(BaseModel):
    method: Literal["card"] = "card"
    number: str = Field(min_length=4)


class Transfer(BaseModel):
    method: Literal["transfer"] = "transfer"
    iban: str = Field(min_length=4)


class Contact(BaseModel):
    name: str = Field(min_length=1)
    born: date | None = None


class Booking(BaseModel):
    arrival: date
    paid_at: datetime | None = None
    rooms: list[Room] = Field(min_length=1)
    payment: Card | Transfer = Field(discriminator="method")
    contact: Contact | None = None
    agent: Contact | None
    reference: int | str


@step
def reserve(booking: Booking) -> int:
    return sum(room.beds for room in booking.rooms)


@workflow("booking")
async def book(booking: Booking) -> int:
    """Reserves rooms; gives back the number of beds."""
    return await reserve(booking)
