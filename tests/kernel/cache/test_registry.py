"""The versions of topics: whatever is lost, doubled or late on the way, nothing old outlives a poll."""

from __future__ import annotations

from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vinc_kernel.cache.messages import Change, hash_key, message
from vinc_kernel.cache.registry import CacheRegistry

TOPIC = "things.thing"
KEYS = ("a", "b", "c")


class Worker:
    """A worker that caches the numbers of three rows of a store."""

    def __init__(self, store: dict[str, int]) -> None:
        self.store = store
        self.registry = CacheRegistry()
        self.cached = self.registry.create(TOPIC, self.load, 10)
        self.poll({}, before={})

    async def load(self, key: str) -> int | None:
        return self.store[key]

    async def warm(self) -> None:
        for key in KEYS:
            await self.cached.get(key)

    def poll(self, versions: dict[str, int], before: dict[str, int]) -> None:
        self.registry.update(versions, before=before, read_at=monotonic() + 3600)

    @property
    def keys(self) -> set[str]:
        return set(self.cached.values)


@pytest.fixture
async def worker() -> Worker:
    made = Worker(dict.fromkeys(KEYS, 1))
    await made.warm()
    return made


def changed(version: int, *keys: str) -> bytes:
    """The message of a change of these keys, or of all."""
    return message.dump_json([Change(TOPIC, version, frozenset(map(hash_key, keys)) or None)])


async def test_the_next_version_drops_its_keys_alone(worker: Worker) -> None:
    worker.registry.on_message(changed(1, "a"))
    worker.registry.on_message(changed(2, "b"))

    assert worker.keys == {"c"}


async def test_a_gap_clears_the_topic(worker: Worker) -> None:
    worker.registry.on_message(changed(2, "a"))

    assert worker.keys == set()


async def test_a_message_twice_or_late_costs_nothing_more(worker: Worker) -> None:
    for data in (changed(2), changed(1, "a"), changed(2)):
        worker.registry.on_message(data)
        await worker.warm()

    worker.registry.on_message(changed(2))
    assert worker.keys == set(KEYS)


async def test_a_version_that_a_message_has_told_clears_nothing(worker: Worker) -> None:
    worker.registry.on_message(changed(1, "a"))
    worker.poll({TOPIC: 1}, before={TOPIC: 0})

    assert worker.keys == {"b", "c"}


async def test_a_poll_that_began_before_a_message_does_not_take_it_back(worker: Worker) -> None:
    worker.poll({TOPIC: 5}, before={})
    await worker.warm()
    before = dict(worker.registry.versions)
    worker.registry.on_message(changed(6, "a"))
    worker.poll({TOPIC: 5}, before)

    assert (worker.keys, worker.registry.versions) == ({"b", "c"}, {TOPIC: 6})


@pytest.mark.parametrize("versions", [{TOPIC: 6}, {TOPIC: 3}, {}], ids=["ahead", "lower", "gone"])
async def test_versions_that_no_message_told_or_of_a_restored_database_clear_the_topic(
    worker: Worker, versions: dict[str, int]
) -> None:
    worker.poll({TOPIC: 5}, before={})
    await worker.warm()
    worker.poll(versions, before={TOPIC: 5})

    assert (worker.keys, worker.registry.versions[TOPIC]) == (set(), versions.get(TOPIC, 0))


@pytest.mark.parametrize("data", [b"", b"who knows", message.dump_json([Change("others.thing", 7, None)])])
async def test_a_message_that_means_nothing_here_is_no_error(worker: Worker, data: bytes) -> None:
    before = dict(worker.registry.versions)
    worker.registry.on_message(data)

    assert (worker.keys, worker.registry.versions) == (set(KEYS), before)


# What may happen, in any order: a key changes; a message arrives, is lost, or arrives twice; the worker loads
# everything; it polls.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.sampled_from(KEYS)),
        st.tuples(st.sampled_from(["arrive", "double", "lose"]), st.integers(0, 5)),
        st.tuples(st.sampled_from(["load", "poll"]), st.just(0)),
    ),
    max_size=30,
)


@given(steps)
async def test_after_a_poll_nothing_old_is_cached(taken: list[tuple[str, str | int]]) -> None:
    store, version, on_its_way = dict.fromkeys(KEYS, 1), 0, list[bytes]()
    worker = Worker(store)
    for step, what in [*taken, ("poll", 0)]:
        if step == "change":
            version += 1
            store[str(what)] += 1
            on_its_way.append(changed(version, str(what)))
        elif step in {"arrive", "double", "lose"} and on_its_way:
            data = on_its_way[int(what) % len(on_its_way)]
            if step != "double":
                on_its_way.remove(data)
            if step != "lose":
                worker.registry.on_message(data)
        elif step == "load":
            await worker.warm()
        elif step == "poll":
            worker.poll({TOPIC: version}, before=dict(worker.registry.versions))
            assert all(store[key] == value for key, value in worker.cached.values.items())
