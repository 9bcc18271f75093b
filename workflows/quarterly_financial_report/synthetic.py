"""The content of the synthetic ledger: a fictional trading company and its bookings of a year."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random

ACCOUNTS = {
    "1000": "Bank",
    "1200": "Trade receivables",
    "1400": "Inventory",
    "1790": "Accumulated depreciation",
    "2000": "Trade payables",
    "2300": "Payroll liabilities",
    "2400": "VAT payable",
    "4000": "Product sales",
    "4100": "Subscription sales",
    "4200": "Service sales",
    "5000": "Cost of goods sold",
    "5100": "Freight and packaging",
    "6000": "Salaries",
    "6100": "Rent and utilities",
    "6200": "Marketing",
    "6300": "Software and hosting",
    "6400": "Travel",
    "6500": "Professional fees",
    "6700": "Depreciation",
}
VAT = {
    "Benelux": Decimal("0.21"),
    "DACH": Decimal("0.19"),
    "Nordics": Decimal("0.25"),
    "UK & Ireland": Decimal("0.20"),
}
REGION_WEIGHTS = [4, 6, 3, 5]
# product: account, unit price, most units on one invoice, cost of goods per unit
PRODUCTS = {
    "Gateways": ("4000", Decimal("890.00"), 8, Decimal("498.40")),
    "Sensors": ("4000", Decimal("149.00"), 30, Decimal("71.50")),
    "Subscriptions": ("4100", Decimal("49.00"), 60, Decimal("0.00")),
    "Services": ("4200", Decimal("125.00"), 24, Decimal("0.00")),
}
PRODUCT_WEIGHTS = [5, 8, 7, 3]
# account: weight, smallest and largest invoice in cents
PURCHASES = {
    "6200": (30, 15_000, 190_000),
    "6300": (25, 15_000, 240_000),
    "6400": (30, 4_000, 120_000),
    "6500": (8, 60_000, 480_000),
    "5100": (40, 3_000, 90_000),
}
PAYROLL = {"Development": 68_000, "Sales": 47_000, "Support": 26_000, "Administration": 21_000}
RENT = {"Headquarters": 17_500, "Warehouse": 9_200, "Regional offices": 6_400}
SEASON = [0.84, 0.86, 1.02, 0.95, 0.98, 1.04, 0.88, 0.82, 1.06, 1.10, 1.24, 1.21]


@dataclass(frozen=True, slots=True)
class Line:
    """Positive amounts are debits, negative ones credits."""

    account: str
    amount: Decimal
    region: str = ""
    product: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A journal entry: its lines add up to zero."""

    day: date
    description: str
    lines: tuple[Line, ...]


def journal(random: Random, year: int, lines: int) -> Iterator[Entry]:
    """Balanced entries of that year in no order, until together they have at least `lines` lines."""
    made = 0
    for entry in _monthly(random, year):
        made += len(entry.lines)
        yield entry
    invoice = 0
    while made < lines:
        invoice += 1
        day = _day(random, year)
        chance = random.random()
        if chance < 0.62:
            group = _sale(random, day, invoice)
        elif chance < 0.65:
            group = [_credit_note(random, day, invoice)]
        elif chance < 0.93:
            group = _purchase(random, day, invoice)
        else:
            stock = _cents(random, 400_000, 2_600_000)
            group = [Entry(day, f"Goods received {invoice}", (Line("1400", stock), Line("2000", -stock)))]
        for entry in group:
            if entry.day.year == year:  # a payment may fall into the next year's ledger
                made += len(entry.lines)
                yield entry


def _monthly(random: Random, year: int) -> Iterator[Entry]:
    for month in range(1, 13):
        last = (date(year, month, 28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        for department, base in PAYROLL.items():
            gross = _cents(random, base * 97, base * 104)
            held = (gross * Decimal("0.38")).quantize(Decimal("0.01"))
            lines = (Line("6000", gross), Line("1000", held - gross), Line("2300", -held))
            yield Entry(last, f"Payroll {department}", lines)
        for site, rent in RENT.items():
            amount = _cents(random, rent * 100, rent * 103)
            yield Entry(date(year, month, 1), f"Rent {site}", (Line("6100", amount), Line("1000", -amount)))
        worn = Decimal("14250.00")
        yield Entry(last, "Depreciation", (Line("6700", worn), Line("1790", -worn)))


def _sale(random: Random, day: date, invoice: int) -> list[Entry]:
    product, region = random.choices(list(PRODUCTS), PRODUCT_WEIGHTS)[0], _region(random)
    account, price, most, unit_cost = PRODUCTS[product]
    units = random.randint(1, most)
    net, cost = price * units, unit_cost * units
    tax = (net * VAT[region]).quantize(Decimal("0.01"))
    lines = [
        Line("1200", net + tax, region),
        Line(account, -net, region, product),
        Line("2400", -tax, region),
    ]
    if cost:
        lines += [Line("5000", cost, region, product), Line("1400", -cost, region, product)]
    paid = (Line("1000", net + tax, region), Line("1200", -net - tax, region))
    when = day + timedelta(days=random.randint(3, 45))
    return [
        Entry(day, f"Invoice {invoice}", tuple(lines)),
        Entry(when, f"Payment of invoice {invoice}", paid),
    ]


def _credit_note(random: Random, day: date, invoice: int) -> Entry:
    product, region = random.choices(list(PRODUCTS), PRODUCT_WEIGHTS)[0], _region(random)
    account, price, _, _ = PRODUCTS[product]
    tax = (price * VAT[region]).quantize(Decimal("0.01"))
    lines = (
        Line(account, price, region, product),
        Line("2400", tax, region),
        Line("1200", -price - tax, region),
    )
    return Entry(day, f"Credit note {invoice}", lines)


def _purchase(random: Random, day: date, invoice: int) -> list[Entry]:
    account = random.choices(list(PURCHASES), [weight for weight, _, _ in PURCHASES.values()])[0]
    amount = _cents(random, *PURCHASES[account][1:])
    when = day + timedelta(days=random.randint(5, 30))
    return [
        Entry(day, f"Supplier invoice {invoice}", (Line(account, amount), Line("2000", -amount))),
        Entry(when, f"Payment of supplier invoice {invoice}", (Line("2000", amount), Line("1000", -amount))),
    ]


def _region(random: Random) -> str:
    return random.choices(list(VAT), REGION_WEIGHTS)[0]


def _day(random: Random, year: int) -> date:
    month = random.choices(range(1, 13), SEASON)[0]
    return date(year, month, random.randint(1, 28))


def _cents(random: Random, low: int, high: int) -> Decimal:
    return Decimal(random.randint(low, high)).scaleb(-2)
