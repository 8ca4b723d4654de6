"""The numbers of changes: whatever is lost, doubled or late on the way, nothing old outlives a look at them."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vinc_kernel.cache.changes import Changes
from vinc_kernel.cache.keys import mark

TOPIC = "things.thing"
KEYS = ("a", "b", "c")


class Worker:
    """A worker that caches the versions of three rows of a store."""

    def __init__(self, store: dict[str, int]) -> None:
        self.store = store
        self.changes = Changes()
        self.cached = self.changes.cached(TOPIC, self.load, 10)
        self.changes.read(monotonic() + 3600, {}, {})

    async def load(self, key: str) -> int | None:
        return self.store[key]

    async def warm(self) -> None:
        for key in KEYS:
            await self.cached.get(key)

    @property
    def kept(self) -> set[str]:
        return set(self.cached.kept)


@pytest.fixture
async def worker() -> Worker:
    made = Worker(dict.fromkeys(KEYS, 1))
    await made.warm()
    return made


def told(number: int, *keys: str) -> str:
    return f"{TOPIC} {number} {','.join(map(mark, keys)) or '*'}"


async def test_the_next_number_forgets_its_keys_alone(worker: Worker) -> None:
    worker.changes.hear(told(1, "a"))
    worker.changes.hear(told(2, "b"))

    assert worker.kept == {"c"}


async def test_a_gap_forgets_the_whole_topic(worker: Worker) -> None:
    worker.changes.hear(told(2, "a"))

    assert worker.kept == set()


async def test_a_message_twice_or_late_costs_nothing_more(worker: Worker) -> None:
    for message in (told(2), told(1, "a"), told(2)):
        worker.changes.hear(message)
        await worker.warm()

    worker.changes.hear(told(2))
    assert worker.kept == set(KEYS)


async def test_a_number_that_is_ahead_forgets_the_whole_topic(worker: Worker) -> None:
    worker.changes.read(monotonic(), {}, {TOPIC: 1})

    assert worker.kept == set()


async def test_a_number_that_was_heard_already_forgets_nothing(worker: Worker) -> None:
    worker.changes.hear(told(1, "a"))
    worker.changes.read(monotonic(), {TOPIC: 0}, {TOPIC: 1})

    assert worker.kept == {"b", "c"}


async def test_a_look_that_began_before_a_message_does_not_take_it_back(worker: Worker) -> None:
    worker.changes.read(monotonic(), {}, {TOPIC: 5})
    await worker.warm()
    before = dict(worker.changes.numbers)
    worker.changes.hear(told(6, "a"))
    worker.changes.read(monotonic(), before, {TOPIC: 5})

    assert (worker.kept, worker.changes.numbers) == ({"b", "c"}, {TOPIC: 6})


@pytest.mark.parametrize("found", [{TOPIC: 3}, {}], ids=["lower", "gone"])
async def test_numbers_that_went_back_tell_of_a_restored_database(worker: Worker, found: dict[str, int]) -> None:
    worker.changes.read(monotonic(), {}, {TOPIC: 5})
    await worker.warm()
    worker.changes.read(monotonic(), {TOPIC: 5}, found)

    assert (worker.kept, worker.changes.numbers[TOPIC]) == (set(), found.get(TOPIC, 0))


async def test_a_message_that_nobody_can_read_makes_it_look(worker: Worker) -> None:
    looks: list[int] = []
    worker.changes.look = lambda: looks.append(1)
    worker.changes.hear("")
    worker.changes.hear("who knows")

    assert (len(looks), worker.kept) == (2, set(KEYS))


async def test_a_topic_that_nobody_caches_here_is_no_error(worker: Worker) -> None:
    worker.changes.hear("others.thing 7 *")

    assert worker.kept == set(KEYS)


# What may happen, in any order: a key changes; a message that is under way arrives, is lost, or arrives twice; the
# worker asks for everything; it looks at the numbers.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.sampled_from(KEYS)),
        st.tuples(st.sampled_from(["arrive", "double", "lose"]), st.integers(0, 5)),
        st.tuples(st.sampled_from(["ask", "look"]), st.just(0)),
    ),
    max_size=30,
)


@given(steps)
def test_after_a_look_nothing_old_is_kept(taken: list[tuple[str, str | int]]) -> None:
    asyncio.run(walk(taken))


async def walk(taken: list[tuple[str, str | int]]) -> None:
    store, number, on_its_way = dict.fromkeys(KEYS, 1), 0, list[str]()
    worker = Worker(store)
    for step, what in [*taken, ("look", 0)]:
        if step == "change":
            number += 1
            store[str(what)] += 1
            on_its_way.append(told(number, str(what)))
        elif step in {"arrive", "double", "lose"} and on_its_way:
            message = on_its_way[int(what) % len(on_its_way)]
            if step != "double":
                on_its_way.remove(message)
            if step != "lose":
                worker.changes.hear(message)
        elif step == "ask":
            await worker.warm()
        elif step == "look":
            worker.changes.read(monotonic() + 3600, dict(worker.changes.numbers), {TOPIC: number})
            assert all(store[key] == value for key, value in worker.cached.kept.items())
