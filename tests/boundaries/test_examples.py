"""The documented examples of dcb.events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest

from dynamo_es import Decision, DecisionModel, Event, Query, Tag, WrappedEvent
from dynamo_es.exceptions import BoundaryConflictError
from tests.boundaries.courses import (
    Change,
    CourseDefined,
    Define,
    Definition,
    NewCapacity,
    Refused,
    Subscribe,
    Subscription,
)


class TestCourseSubscriptions:
    def test_course_is_defined_once(self, boundary, process):
        boundary.decide(Definition, Define("c1", 10))

        with pytest.raises(Refused, match="already exists"):
            process().decide(Definition, Define("c1", 15))
        assert boundary.decide(Definition, Define("c2", 15)).version == 2

    def test_capacity_of_a_missing_course_cannot_change(self, boundary):
        with pytest.raises(Refused, match="does not exist"):
            boundary.decide(NewCapacity, Change("c0", 15))

    def test_same_capacity_stores_nothing(self, boundary):
        boundary.decide(Definition, Define("c1", 12))

        decided = boundary.decide(NewCapacity, Change("c1", 12))

        assert (decided.events, decided.version, decided.repeated) == ((), 1, False)
        assert boundary.read(Query.everything()).head == 1

    def test_full_course_refuses_a_student_until_it_grows(self, boundary, process):
        boundary.decide(Definition, Define("c1", 3))
        for student in ("s1", "s2", "s3"):
            process().decide(Subscription, Subscribe(student, "c1"))

        with pytest.raises(Refused, match="fully booked"):
            boundary.decide(Subscription, Subscribe("s4", "c1"))
        process().decide(NewCapacity, Change("c1", 4))
        boundary.decide(Subscription, Subscribe("s4", "c1"))
        assert len(boundary.read(Query(tags=[Tag("course", "c1")])).events) == 6

    def test_student_subscribes_to_a_course_once(self, boundary):
        boundary.decide(Definition, Define("c1"))
        boundary.decide(Subscription, Subscribe("s1", "c1"))

        with pytest.raises(Refused, match="already subscribed to this course"):
            boundary.decide(Subscription, Subscribe("s1", "c1"))

    def test_student_subscribes_to_five_courses_at_most(self, boundary):
        for number in range(6):
            boundary.decide(Definition, Define(f"c{number}"))
        for number in range(5):
            boundary.decide(Subscription, Subscribe("s1", f"c{number}"))

        with pytest.raises(Refused, match="5 courses"):
            boundary.decide(Subscription, Subscribe("s1", "c5"))
        boundary.decide(Subscription, Subscribe("s2", "c5"))

    def test_an_append_by_hand_names_what_it_has_read(self, boundary, process):
        one, other = process(), process()
        query = Query(types=[CourseDefined], tags=[Tag("course", "c1")])
        found, as_found = one.read(query), other.read(query)
        one.append(CourseDefined(course="c1", capacity=3), fail_if=found.query, after=found.head)

        with pytest.raises(BoundaryConflictError) as caught:
            other.append(
                CourseDefined(course="c1", capacity=9), fail_if=as_found.query, after=as_found.head
            )
        assert boundary.typed(caught.value.matching)[0].event.capacity == 3


class AccountRegistered(Event):
    __event_name__ = "test.account.registered"

    username: Annotated[str, Tag("username")]


class AccountClosed(Event):
    __event_name__ = "test.account.closed"

    username: Annotated[str, Tag("username")]


class UsernameChanged(Event):
    __event_name__ = "test.account.username_changed"

    names: Annotated[tuple[str, str], Tag("username")]
    """The old one and the new one; the event is about both."""


class IsUsernameClaimed(DecisionModel):
    """The names of closed accounts are free again."""

    def __init__(self, username: str) -> None:
        self.query = Query(
            types=[AccountRegistered, AccountClosed, UsernameChanged],
            tags=[Tag("username", username)],
        )
        self.username = username
        self.claimed = False

    def __apply__(self, event: AccountRegistered | AccountClosed | UsernameChanged) -> None:
        if isinstance(event, UsernameChanged):
            self.claimed = event.names[1] == self.username
        else:
            self.claimed = isinstance(event, AccountRegistered)


class Registration(Decision):
    def __init__(self, username: str) -> None:
        self.username = username
        self.name = self.use(IsUsernameClaimed(username))

    def decide(self) -> AccountRegistered:
        if self.name.claimed:
            raise Refused(f'Username "{self.username}" is claimed')
        return AccountRegistered(username=self.username)


class TestUniqueUsername:
    def test_claimed_name_is_refused(self, boundary, process):
        boundary.decide(Registration, "u1")

        with pytest.raises(Refused):
            process().decide(Registration, "u1")
        process().decide(Registration, "u2")

    def test_name_of_a_closed_account_is_free(self, boundary, process):
        boundary.decide(Registration, "u1")
        boundary.append(AccountClosed(username="u1"))

        assert process().decide(Registration, "u1").version == 3

    def test_changed_name_frees_the_old_one_and_claims_the_new_one(self, boundary, process):
        boundary.decide(Registration, "u1")
        boundary.append(UsernameChanged(names=("u1", "u1changed")))

        with pytest.raises(Refused):
            process().decide(Registration, "u1changed")
        process().decide(Registration, "u1")


class InvoiceCreated(Event):
    __event_name__ = "test.invoice.created"

    number: int
    customer: Annotated[str, Tag("customer")]


class NextNumber(DecisionModel):
    def __init__(self) -> None:
        self.query = Query(types=[InvoiceCreated])
        self.number = 1

    def __apply__(self, event: InvoiceCreated) -> None:
        self.number = event.number + 1


class NewInvoice(Decision):
    def __init__(self, customer: str) -> None:
        self.customer = customer
        self.next = self.use(NextNumber())

    def decide(self) -> InvoiceCreated:
        return InvoiceCreated(number=self.next.number, customer=self.customer)


def test_invoice_numbers_have_no_gaps(boundary, process):
    numbers = []
    for number in range(5):
        boundary.append(CourseDefined(course=f"c{number}", capacity=1))  # of no concern
        [invoice] = process().decide(NewInvoice, "ann").events
        numbers.append(invoice.number)

    assert numbers == [1, 2, 3, 4, 5]


class SignUpInitiated(Event):
    __event_name__ = "test.sign_up.initiated"

    email: Annotated[str, Tag("email")]
    otp: Annotated[str, Tag("otp")]
    name: str


class SignUpConfirmed(Event):
    __event_name__ = "test.sign_up.confirmed"

    email: Annotated[str, Tag("email")]
    otp: Annotated[str, Tag("otp")]


class PendingSignUp(DecisionModel):
    def __init__(self, email: str, otp: str) -> None:
        self.query = Query(
            types=[SignUpInitiated, SignUpConfirmed], tags=[Tag("email", email), Tag("otp", otp)]
        )
        self.initiated = self.used = False

    def __apply__(self, event: SignUpInitiated | SignUpConfirmed) -> None:
        self.initiated = True
        self.used = isinstance(event, SignUpConfirmed)


@dataclass(frozen=True)
class Confirm:
    email: str
    otp: str


class Confirmation(Decision):
    def __init__(self, command: Confirm) -> None:
        self.command = command
        self.pending = self.use(PendingSignUp(command.email, command.otp))

    def decide(self) -> SignUpConfirmed:
        if not self.pending.initiated:
            raise Refused("No pending sign-up")
        if self.pending.used:
            raise Refused("The token was used already")
        return SignUpConfirmed(email=self.command.email, otp=self.command.otp)


def test_opt_in_token_confirms_once_and_only_its_own_sign_up(boundary, process):
    boundary.append(SignUpInitiated(email="ann@example.com", otp="111", name="Ann"))
    boundary.append(SignUpInitiated(email="bob@example.com", otp="222", name="Bob"))

    with pytest.raises(Refused, match="No pending"):
        boundary.decide(Confirmation, Confirm("ann@example.com", "222"))
    boundary.decide(Confirmation, Confirm("ann@example.com", "111"))
    with pytest.raises(Refused, match="used already"):
        process().decide(Confirmation, Confirm("ann@example.com", "111"))


class ProductDefined(Event):
    __event_name__ = "test.product.defined"

    product: Annotated[str, Tag("product")]
    price: int


class PriceChanged(Event):
    __event_name__ = "test.product.price_changed"

    product: Annotated[str, Tag("product")]
    price: int


class Ordered(Event):
    __event_name__ = "test.products.ordered"

    products: Annotated[list[str], Tag("product")]
    total: int


class Price(DecisionModel):
    """The present price holds, and the one before: a customer may have been shown it."""

    def __init__(self, product: str) -> None:
        self.query = Query(types=[ProductDefined, PriceChanged], tags=[Tag("product", product)])
        self.valid: list[int] = []

    def __apply__(self, event: ProductDefined | PriceChanged) -> None:
        self.valid.append(event.price)


class Order(Decision):
    def __init__(self, shown: dict[str, int]) -> None:
        self.shown = shown
        self.prices = {product: self.use(Price(product)) for product in shown}

    def decide(self) -> Ordered:
        for product, price in self.shown.items():
            if price not in self.prices[product].valid[-2:]:
                raise Refused(f"invalid price for product {product}")
        return Ordered(products=list(self.shown), total=sum(self.shown.values()))


def test_dynamic_price_of_each_product_of_an_order_is_checked(boundary, process):
    boundary.append(ProductDefined(product="p1", price=123))
    boundary.append(ProductDefined(product="p2", price=321))
    boundary.decide(Order, {"p1": 123, "p2": 321})
    boundary.append(PriceChanged(product="p1", price=134))

    for shown, total in [({"p1": 123}, 123), ({"p1": 134, "p2": 321}, 455)]:
        [order] = process().decide(Order, shown).events
        assert order.total == total
    with pytest.raises(Refused, match="invalid price for product p1"):
        boundary.decide(Order, {"p2": 321, "p1": 100})
    assert len(boundary.read(Query(types=[Ordered], tags=[Tag("product", "p2")])).events) == 2


class OrderPlaced(Event):
    __event_name__ = "test.order.placed"

    key: Annotated[str, Tag("idempotency")]


class KeyWasUsed(DecisionModel):
    def __init__(self, key: str) -> None:
        self.query = Query(types=[OrderPlaced], tags=[Tag("idempotency", key)])
        self.used = False

    def __apply__(self, event: OrderPlaced) -> None:
        self.used = True


class Placing(Decision):
    def __init__(self, key: str) -> None:
        self.key = key
        self.before = self.use(KeyWasUsed(key))

    def decide(self) -> OrderPlaced:
        if self.before.used:
            raise Refused("Re-submission")
        return OrderPlaced(key=self.key)


def test_record_is_not_duplicated(boundary, process):
    boundary.decide(Placing, "11111")

    with pytest.raises(Refused, match="Re-submission"):
        process().decide(Placing, "11111")
    assert process().decide(Placing, "22222").version == 2


def test_one_wrapped_event_appended_twice_is_stored_once(boundary, process):
    order = WrappedEvent(OrderPlaced(key="33333"))
    after = boundary.read(Query.everything()).head

    assert not boundary.append(order, after=after).repeated
    assert process().append(order, after=after).repeated
    assert boundary.read(Query.everything()).head == 1
