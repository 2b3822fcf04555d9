"""One request as Z3 sees it: everything a payload may say, under the rules and limits of a key."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from policy import amounts
from policy.markets import PRICE_DECIMALS
from policy.model import Ask, Facts, Role, Side, Transfer
from policy.prove import scope, shapes
from policy.prove.answer import Step
from policy.prove.questions import Question
from policy.prove.scope import LISTED
from policy.prove.shapes import Shape
from policy.rules import Grant, KeyPolicy, Limit, Per, Policy

_OTHER = object()  # stands for every value that neither policy nor question names
_SOLUTIONS = 30  # tried until one is a request that the engine allows
_TIMES = 20  # openings of a grant at which a request is tried


class Choice:
    """A fact that is one of a few values, or another."""

    def __init__(self, z3: Any, name: str, values: Iterable[object]) -> None:
        self._z3 = z3
        self._values = [*sorted(set(values), key=str), _OTHER]
        self._number = z3.Int(name)
        self.possible = z3.And(self._number >= 0, self._number < len(self._values))

    def one_of(self, values: Iterable[object]) -> Any:
        """Return that it is one of the values."""
        numbers = [self._values.index(value) for value in values if value in self._values]
        return self._z3.Or(*(self._number == number for number in numbers))

    def unlike(self, model: Any) -> Any:
        """Return that it is another value than a solution has."""
        return self._number != model.eval(self._number, model_completion=True)

    def chosen(self, model: Any) -> Any:
        """Return the value that a solution has."""
        return self._values[model.eval(self._number, model_completion=True).as_long()]


class Place(NamedTuple):
    """Destinations that every rule and the question treat alike."""

    members: tuple[str, ...]

    def within(self, listed: Iterable[str]) -> bool:
        """Whether they are listed."""
        return self.members[0] in set(listed)


class Model:
    """Every request on a key that breaks a claim, as the solutions of a formula."""

    def __init__(self, policy: Policy, key: KeyPolicy, question: Question) -> None:
        import z3  # noqa: PLC0415 - the extra; nothing else needs it

        self._z3 = z3
        self._policy, self._key, self._question = policy, key, question
        self._grants = scope.grants(key, question)
        self._places = _places(key.grants, question)
        self._solver = z3.Solver()
        self._caller = Choice(z3, "caller", scope.callers(key, question))
        self._facts = {
            fact: Choice(
                z3, fact, {value for grant in key.grants for value in getattr(grant, field)}
            )
            for fact, field in LISTED.items()
        }
        self._price = z3.Int("price")
        self._approvals = z3.Int("approvals")
        self._fees = {asset: z3.Int(f"fee of {asset}") for asset in key.limits}
        self._paid = {
            (asset, place): (z3.Bool(f"pays {asset} {n}"), z3.Int(f"amount of {asset} {n}"))
            for asset in key.limits
            for n, place in enumerate(self._places)
        }
        self._moved = {asset: self._sum(asset) for asset in key.limits}
        self._shapes = {
            grant.action: shapes.of(policy, key, grant.action) for grant in self._grants
        }
        self._granted = {grant.id: self._grant(grant) for grant in self._grants}
        self._solver.add(*self._possible(), z3.Or(*self._granted.values()))
        self._solver.add(*(self._limit(name, limit) for name, limit in key.limits.items()))
        self._solver.add(self._claim_broken())

    def broken(self) -> bool:
        """Whether there may be a solution; ``requests`` are made of them."""
        return bool(self._solver.check() != self._z3.unsat)

    def requests(self) -> Iterator[Step]:
        """Yield what solutions stand for, under each grant that they fit, at several times."""
        for _ in range(_SOLUTIONS):
            if self._solver.check() != self._z3.sat:
                return
            model = self._solver.model()
            for grant in self._grants:
                if self._z3.is_true(model.eval(self._granted[grant.id], model_completion=True)):
                    for at_ms in islice(scope.openings(grant), _TIMES):
                        yield self._step(model, grant, at_ms)
            self._solver.add(self._unlike(model))

    def _unlike(self, model: Any) -> Any:
        """Another caller, another fact, or something else that moves: not just how much."""
        z3 = self._z3
        moving = [has for has, _ in self._paid.values()]
        moving += [fee > 0 for fee in self._fees.values()]
        return z3.Or(
            *(choice.unlike(model) for choice in (self._caller, *self._facts.values())),
            *(item != model.eval(item, model_completion=True) for item in moving),
        )

    def _possible(self) -> Iterator[Any]:
        """What holds for any request, whatever the policy."""
        z3 = self._z3
        yield self._caller.possible
        yield from (choice.possible for choice in self._facts.values())
        yield from (amount >= 0 for amount in self._fees.values())
        yield from (
            z3.And(amount >= 0, z3.Or(has, amount == 0)) for has, amount in self._paid.values()
        )
        yield z3.And(self._price >= 0, self._approvals >= 0)

    def _sum(self, asset: str) -> Any:
        paid = [amount for (name, _), (_, amount) in self._paid.items() if name == asset]
        return self._z3.Sum([self._fees[asset], *paid])

    def _grant(self, grant: Grant) -> Any:
        """All rules of a grant but its hours and dates: see ``policy.rules.RULES``."""
        listed = [self._facts[fact].one_of(getattr(grant, field)) for fact, field in LISTED.items()]
        callers = self._caller.one_of(grant.callers)
        shape = self._shapes[grant.action]
        shaped = [] if shape is None else self._shaped(grant, shape)
        return self._z3.And(
            callers,
            *listed,
            self._moves(grant),
            self._priced(grant),
            self._approved(grant),
            *shaped,
        )

    def _shaped(self, grant: Grant, shape: Shape) -> Iterator[Any]:
        """What holds for any payload of the action beside."""
        z3, facts, limits = self._z3, self._facts, self._key.limits
        for fact, nothing in shapes.UNSAID.items():
            yield facts[fact].one_of((nothing,))
        own = facts["source"].one_of((None,))
        of_others = facts["source"].one_of(shapes.accounts(grant.sources))
        funds = {is_own: own if is_own else of_others for is_own in shape.gas}
        yield z3.Or(*funds.values())
        pays_gas = z3.Or(*(funds[is_own] for is_own, pays in shape.gas.items() if pays))
        for name, fee in self._fees.items():
            coin = limits[name].asset
            at_home = facts["chain_id"].one_of((coin.chain_id,)) if coin.is_native else False
            yield z3.Or(fee == 0, z3.And(at_home, pays_gas))
        for (name, _), (has, amount) in self._paid.items():
            there = facts["chain_id"].one_of((shape.at(limits[name].asset),))
            yield z3.Implies(has, there)
            yield amount <= shape.most
        yield z3.Or(*(has for has, _ in self._paid.values())) == shape.moves
        if shape.single:
            yield from self._paid_once()

    def _paid_once(self) -> Iterator[Any]:
        """One destination gets it all."""
        pays = [has for has, _ in self._paid.values()]
        if pays:
            yield self._z3.AtMost(*pays, 1)
        for (name, _), (_, amount) in self._paid.items():
            yield from (amount <= most for most in self._most_each(name))

    def _moves(self, grant: Grant) -> Any:
        z3 = self._z3
        allowed = {
            (asset, place)
            for asset, place in self._paid
            if asset in grant.assets
            and place.within(grant.destinations)
            and self._payable(grant, asset, place)
        }
        something = z3.Or(*(self._paid[pair][0] for pair in allowed)) if grant.assets else True
        others = [z3.Not(has) for pair, (has, _) in self._paid.items() if pair not in allowed]
        return z3.And(something, *others)

    def _payable(self, grant: Grant, name: str, place: Place) -> tuple[str, ...]:
        """Return who of a place can be paid the asset by some payload of the action."""
        shape, asset = self._shapes[grant.action], self._key.limits[name].asset
        if shape is None:
            return place.members
        return tuple(member for member in place.members if shape.pays(asset, member))

    def _priced(self, grant: Grant) -> Any:
        if grant.worst_price is None:
            return grant.action not in shapes.SWAPS
        side, z3 = self._facts["side"], self._z3
        within = {Side.BUY: self._price.__le__, Side.SELL: self._price.__ge__}
        return z3.Or(
            *(
                z3.And(side.one_of((of,)), within[of](worst))
                for of, worst in grant.worst_price.items()
            )
        )

    def _approved(self, grant: Grant) -> Any:
        z3, wanted = self._z3, grant.approval
        if wanted is None:
            return self._approvals == 0
        above = [self._moved[asset] > most for asset, most in wanted.above.items()]
        enough = z3.Or(z3.Not(z3.Or(*above)), self._approvals >= wanted.quorum)
        return z3.And(enough, self._approvals <= len(wanted.approvers))

    def _limit(self, asset: str, limit: Limit) -> Any:
        """What one request may move at most, into windows that hold nothing."""
        within = [self._moved[asset] <= limit.per_request]
        for window in limit.windows:
            if window.max_total is None:
                continue
            if window.per is not Per.DESTINATION:
                within.append(self._moved[asset] <= window.max_total)
                continue
            within += [
                self._paid[asset, place][1] <= window.max_total * len(place.members)
                for place in self._places
            ]
        return self._z3.And(*within)

    def _claim_broken(self) -> Any:
        question, z3 = self._question, self._z3
        moved = self._moved.get(question.asset or "", 0)
        if question.per_request:
            return moved > question.base_units(self._policy, question.per_request)
        if question.approvals:
            above = question.base_units(self._policy, question.approvals.above)
            return z3.And(moved > above, self._approvals < question.approvals.quorum)
        pays = [
            has
            for (asset, place), (has, _) in self._paid.items()
            if question.asset in {None, asset} and not place.within(question.destinations or ())
        ]
        if question.never and question.asset is None:
            return True
        fee = moved > 0 if question.never else False
        return z3.Or(*pays, fee)

    def _step(self, model: Any, grant: Grant, at_ms: int) -> Step:
        caller = self._caller.chosen(model)
        said = {fact: choice.chosen(model) for fact, choice in self._facts.items()}
        number = self._number(model, self._price)
        price = amounts.to_text(number, PRICE_DECIMALS) if said["side"] is not None else None
        facts = Facts(grant.action, tuple(self._transfers(model, grant)), price=price, **said)
        ask = Ask(
            self._key.name, scope.form(self._key, grant.action), caller, facts, scope.address(grant)
        )
        known = grant.approval.approvers - {caller} if grant.approval else frozenset[str]()
        approvers = sorted(known)[: self._number(model, self._approvals)]
        return Step(ask, at_ms, frozenset(approvers))

    def _transfers(self, model: Any, grant: Grant) -> Iterator[Transfer]:
        for (asset, place), (has, amount) in self._paid.items():
            if self._z3.is_true(model.eval(has, model_completion=True)):
                members = self._payable(grant, asset, place)
                yield from self._spread(asset, members, self._number(model, amount))
        for asset, fee in self._fees.items():
            if number := self._number(model, fee):
                yield Transfer(self._ref(asset), number, None, Role.FEE)

    def _spread(self, asset: str, members: Iterable[str], amount: int) -> Iterator[Transfer]:
        """Pay one destination after the other as much as its own window takes."""
        for number, member in enumerate(members):
            share = min([amount, *self._most_each(asset)])
            if share or number == 0:
                yield Transfer(self._ref(asset), share, member)
            amount -= share

    def _most_each(self, asset: str) -> list[int]:
        """Return what windows let each destination have."""
        return [
            window.max_total
            for window in self._key.limits[asset].windows
            if window.per is Per.DESTINATION and window.max_total is not None
        ]

    def _ref(self, asset: str) -> str:
        return self._key.limits[asset].asset.ref

    def _number(self, model: Any, number: Any) -> int:
        return int(model.eval(number, model_completion=True).as_long())


def _places(grants: Iterable[Grant], question: Question) -> list[Place]:
    """Return the destinations that a grant or the question names, alike ones together."""
    lists: list[frozenset[str]] = [grant.destinations for grant in grants]
    lists.append(frozenset(question.destinations or ()))
    alike: dict[tuple[bool, ...], list[str]] = {}
    for destination in sorted(frozenset[str]().union(*lists)):
        alike.setdefault(tuple(destination in listed for listed in lists), []).append(destination)
    return [Place(tuple(members)) for members in alike.values()]
