"""A good plugin."""

from __future__ import annotations


async def test_a_good_plugin_answers(workshop, serving):
    workshop.plugin("good")
    async with serving(workshop.app()) as client:
        answer = await client.get("/good")
    assert answer.json() == "good"
