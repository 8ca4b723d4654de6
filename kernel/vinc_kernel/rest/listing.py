"""The declared filters and orders of a list; other query parameters are refused."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, create_model
from sqlalchemy import Column, ColumnElement, any_, bindparam
from sqlalchemy.dialects.postgresql import ARRAY

from ..fastapi_adapter import query_parameters
from ..scalars import integer
from .columns import KINDS, plain_column, refused
from .pages import ListQuery, Order, parameter

MOST, USUAL = 200, 50
MOST_VALUES = 100
OWN = ("limit", "cursor", "order_by")
well_named = re.compile(r"[a-z][a-z0-9_]*").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One query parameter: its type, and its conditions for one value and, where it may be repeated, for several."""

    name: str
    type: Any
    description: str
    one: ColumnElement[bool]
    several: ColumnElement[bool] | None = None

    def condition(self, value: Any) -> tuple[ColumnElement[bool], Any]:
        """Return the condition for a value, or for a list of values, and its parameter."""
        if self.several is None:
            return self.one, value
        return (self.one, value[0]) if len(value) == 1 else (self.several, value)


class Listing:
    """The filters and orders of one list.

    `filters` and `orders` name columns of `model`; `order` is the default one, `-name` for descending. The id breaks
    ties. `choices` are the only values that a filter takes. Raises TypeError where no index can be used.
    """

    def __init__(
        self,
        model: Any,
        *,
        orders: Mapping[str, Any],
        order: str,
        filters: Mapping[str, Any] | None = None,
        choices: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        unique = plain_column("id", model.id)
        self.orders = {
            sign + name: order_of(name, attribute, unique, descending=sign == "-")
            for name, attribute in orders.items()
            for sign in ("", "-")
        }
        if order not in self.orders:
            raise refused(order, f"is none of the orders: {', '.join(orders)}")
        self.filters: dict[str, Filter] = {}
        chosen = dict(choices or {})
        for name, attribute in (filters or {}).items():
            for one in filters_of(name, plain_column(name, attribute), chosen.pop(name, None)):
                self.add(one)
        if chosen:
            raise refused(min(chosen), "has choices and is no filter")
        self.parameters = query_model(self.filters.values(), self.orders, order)
        self.query: Any = Depends(ReadQuery(self))
        """The FastAPI dependency: `query: Annotated[ListQuery, LISTING.query]`."""

    def add(self, one: Filter) -> None:
        if not well_named(one.name):
            raise refused(one.name, "is no name for a query parameter: use lower case, digits and underscores")
        if one.name in self.filters or one.name in OWN:
            raise refused(one.name, "is a query parameter already: call the filter otherwise")
        self.filters[one.name] = one


def order_of(name: str, attribute: Any, unique: Column[Any], *, descending: bool) -> Order:
    column = plain_column(name, attribute)
    if column.nullable:
        raise refused(name, "may be null, which has no place in an order: make the column not null")
    if column.table is not unique.table:
        raise refused(name, f"is no column of {unique.table}: no index has it together with the id that breaks ties")
    return Order((column,) if column is unique else (column, unique), descending)


def filters_of(name: str, column: Column[Any], choices: Sequence[str] | None) -> Iterator[Filter]:
    kind = KINDS[type(column.type)]
    value: Any = kind.parameter if choices is None else one_of(name, kind.python, choices)
    yield Filter(
        name=name,
        type=Annotated[list.__class_getitem__(value), Field(max_length=MOST_VALUES)],
        description="Any of these.",
        one=column == bindparam(parameter(name)),
        several=column == any_(bindparam(parameter(name), type_=ARRAY(column.type))),
    )
    if kind.ranged:
        first, end = f"{name}_from", f"{name}_before"
        later, earlier = column >= bindparam(parameter(first)), column < bindparam(parameter(end))
        yield Filter(name=first, type=kind.parameter, description="This or later.", one=later)
        yield Filter(name=end, type=kind.parameter, description="Before this.", one=earlier)


def one_of(name: str, kind: type, choices: Sequence[str]) -> Any:
    """Return a type of these texts; raises TypeError for a filter of another type, and for other choices."""
    if kind is not str or isinstance(choices, str) or not choices or not all(isinstance(one, str) for one in choices):
        raise refused(name, "has choices, which are a list of texts, for a column of text")
    return Literal[tuple(choices)]


def query_model(filters: Iterable[Filter], orders: Iterable[str], order: str) -> type[BaseModel]:
    """Return a model of all parameters, which reads them and is their schema in the OpenAPI document."""
    limit = Annotated[int, Field(ge=1, le=MOST, description="How many at most."), BeforeValidator(integer)]
    names: Any = Literal[tuple(orders)]
    fields: dict[str, Any] = {
        "limit": (limit, USUAL),
        "cursor": (Annotated[str | None, Field(description="Where to go on: stands in `next` of a page.")], None),
        "order_by": (Annotated[names, Field(description="`-` turns it around.")], order),
        # A field with the filter's name could hide a method of the model, as `copy` would.
        **{
            f"by_{one.name}": (one.type | None, Field(None, alias=one.name, description=one.description))
            for one in filters
        },
    }
    model: type[BaseModel] = create_model("ListQuery", **fields)
    return model


class ReadQuery:
    """The dependency that reads the query itself: FastAPI takes 10 µs for each parameter, also for absent ones.

    The signature is for the OpenAPI document; with `reads_own_query` FastAPI reads no parameter.
    """

    reads_own_query = True

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        given = {"request": Request, "response": Response, "given": Annotated[listing.parameters, Query()]}
        parameters = [Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind) for name, kind in given.items()]
        self.__signature__ = Signature(parameters)

    async def __call__(self, *, request: Request, response: Response, **_: object) -> ListQuery:
        read, filters = self.read(request)
        chosen = {name: one.condition(getattr(read, f"by_{name}")) for name, one in filters.items()}
        return ListQuery(
            request=request,
            response=response,
            limit=read.limit,
            cursor=read.cursor,
            order_by=read.order_by,
            order=self.listing.orders[read.order_by],
            conditions=tuple(condition for condition, _ in chosen.values()),
            filters={name: value for name, (_, value) in chosen.items()},
        )

    def read(self, request: Request) -> tuple[Any, Mapping[str, Filter]]:
        """Return the parameters and the filters among them; raises RequestValidationError."""
        query, filters = request.query_params, self.listing.filters
        names = sorted(query.keys())  # their order makes no other statement
        sent = {name: filters[name] for name in names if name in filters}
        values: dict[str, Any] = {name: query[name] for name in names if name in OWN}
        for name, one in sent.items():
            values[name] = query[name] if one.several is None else query.getlist(name)
        errors = unread(request, [name for name in names if name not in values]) if len(values) < len(names) else []
        try:
            read = self.listing.parameters.model_validate(values)
        except ValidationError as error:
            errors += [{**one, "loc": ("query", *one["loc"])} for one in error.errors(include_url=False)]
        if errors:
            raise RequestValidationError(errors)
        return read, sent


def unread(request: Request, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return an error for each unknown parameter: without a misspelt filter the list would be longer."""
    known = {name for name, _ in query_parameters(request.scope["route"])}
    message = "is no parameter here"
    return [{"type": "extra_forbidden", "loc": ("query", name), "msg": message} for name in names if name not in known]
