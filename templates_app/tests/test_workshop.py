"""What a hostile template can do to the process that renders it: nothing."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from templates_app.engine import MEMORY_BYTES, WORDS_BYTES
from templates_app.workshop import Job, RenderError, Words, Workshop
from templates_app.workshop import workshop as shared

HOSTILE = {
    "endless loop": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "endless recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "branching recursion": (
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(30) }}"
    ),
    "a huge range": "{% for a in range(1000000000) %}{{ a }}{% endfor %}",
    "100 MB of output": '{{ "a" * 100000000 }}',
    "output as large as the data say": '{{ "a" * huge }}',
    "1 MB of output in small pieces": "{% for a in range(9999) %}" + "x" * 100 + "{% endfor %}",
    "doubling": (
        '{% set ns = namespace(x="aaaaaaaa") %}'
        "{% for i in range(40) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x|length }}"
    ),
    "doubling without a loop": '{% set x = "aaaaaaaa" %}' + "{% set x = x ~ x %}" * 30 + "{{ x|length }}",
    "a list of many": '{{ ["a"] * 100000000 }}',
    "a wide format": '{{ "%999999999d"|format(3) }}',
    "replacement upon replacement": '{{ ("a" * 9999)|replace("a", "b" * 9999)|replace("b", "c" * 99) }}',
    "few instructions, much work": (
        '{% set x = "a" * 9000000 %}{% for i in range(9999) %}{% set y = x|upper %}{% endfor %}'
    ),
    "loops over the data": (
        "{% for a in many %}{% for b in many %}{% for c in many %}{{ c }}{% endfor %}{% endfor %}{% endfor %}"
    ),
    "a source that overflows the compiler": "{{ " + "-" * 100_000 + "1 }}",
    "a source that is nested too deep": "{{ a" + ".a" * 100_000 + " }}",
}
DATA: dict[str, Any] = {"huge": 10**9, "many": list(range(1000)), "a": 1}
INNOCENT = Job("innocent", {"body": "Hi {{ name }}"}, {"name": "Ann"})


@pytest.fixture
def workshop() -> Iterator[Workshop]:
    shared.close()
    with contextlib.closing(Workshop()) as made:
        yield made


def test_it_works(workshop: Workshop) -> None:
    content = {"subject": "For {{ name }}", "body": "Hi {{ name }}", "html": "<b>{{ name }}</b>"}

    (words,) = workshop.render([Job("a", content, {"name": "Ann"})])

    assert words == Words(subject="For Ann", body="Hi Ann", html="<b>Ann</b>")


@pytest.mark.parametrize("source", [pytest.param(source, id=name) for name, source in HOSTILE.items()])
def test_it_refuses_a_hostile_template_and_answers_the_others(workshop: Workshop, source: str) -> None:
    before = _memory()

    first, hostile, last = workshop.render([INNOCENT, Job("hostile", {"body": source}, DATA), INNOCENT])

    assert isinstance(hostile, RenderError)
    assert hostile.code in {"template_too_expensive", "template_error"}
    assert first == last == Words(body="Hi Ann")
    assert _memory() - before < 8 << 20, "the memory of this process stays as it was"


def test_it_keeps_the_child_under_its_ceiling(workshop: Workshop) -> None:
    highest = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(0.002):
            with contextlib.suppress(psutil.Error):
                highest = max([highest, *(child.memory_info().vms for child in _engines())])

    watcher = threading.Thread(target=watch)
    watcher.start()
    for name in ("doubling", "100 MB of output", "few instructions, much work"):
        workshop.render([Job(name, {"body": HOSTILE[name]}, DATA)])
    done.set()
    watcher.join()

    assert 0 < highest <= MEMORY_BYTES


def test_it_gives_up_a_deadly_content_soon(workshop: Workshop) -> None:
    deadly = Job("deadly", {"body": HOSTILE["few instructions, much work"]}, {})
    started = time.monotonic()

    answers = workshop.render([deadly] * 100 + [INNOCENT])

    assert {answer.code for answer in answers[:-1] if isinstance(answer, RenderError)} == {
        "template_too_expensive"
    }
    assert answers[-1] == Words(body="Hi Ann")
    assert time.monotonic() - started < 30


def test_it_allows_what_a_message_may_weigh(workshop: Workshop) -> None:
    (words,) = workshop.render([Job("a", {"body": "{{ text }}"}, {"text": "x" * (WORDS_BYTES - 100)})])

    assert isinstance(words, Words)


def test_it_replaces_a_child_that_was_killed(workshop: Workshop) -> None:
    workshop.render([INNOCENT])
    (child,) = _engines()
    child.kill()

    assert workshop.render([INNOCENT] * 3) == [Words(body="Hi Ann")] * 3


def test_it_hands_nobody_the_answer_of_an_interrupted_exchange(workshop: Workshop) -> None:
    workshop.render([INNOCENT])
    slow = Job("slow", {"body": HOSTILE["few instructions, much work"]}, {})
    signal.signal(signal.SIGALRM, _interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)

    with pytest.raises(InterruptedError):
        workshop.render([slow])

    assert workshop.render([INNOCENT]) == [Words(body="Hi Ann")]


def test_it_serves_threads(workshop: Workshop) -> None:
    answers: dict[int, list[Words | RenderError]] = {}

    def render(number: int) -> None:
        answers[number] = workshop.render([Job("t", {"body": "{{ n }}"}, {"n": number})] * 500)

    threads = [threading.Thread(target=render, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == {number: [Words(body=str(number))] * 500 for number in range(8)}


def test_it_renders_in_a_forked_process() -> None:
    shared.render([INNOCENT])

    pid = os.fork()
    if pid == 0:
        os._exit(0 if shared.render([INNOCENT]) == [Words(body="Hi Ann")] else 1)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert shared.render([INNOCENT]) == [Words(body="Hi Ann")]


def test_it_forgets_the_contents_used_least(workshop: Workshop) -> None:
    jobs = [Job(str(number), {"body": f"{number}"}, {}) for number in range(1500)]

    assert workshop.render(jobs + jobs[:10]) == [Words(body=job.key) for job in jobs + jobs[:10]]


def test_it_refuses_data_that_are_not_json(workshop: Workshop) -> None:
    answers = workshop.render([INNOCENT, Job("b", {"body": "{{ a }}"}, {"a": 10**40}), INNOCENT])

    assert [type(answer) for answer in answers] == [Words, RenderError, Words]


def _interrupt(signum: int, frame: object) -> None:
    raise InterruptedError


def _engines() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "engine.py" in "".join(child.cmdline())]


def _memory() -> int:
    return int(psutil.Process().memory_info().rss)
