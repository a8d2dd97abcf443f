import datetime as dt

from django.utils import timezone

from tenants.ids import first_id_at, made_at, new_id


def test_it_works() -> None:
    ids = [new_id() for _ in range(1_000)]

    assert ids == sorted(set(ids))
    assert {made.version for made in ids} == {7}


def test_it_tells_when_an_id_was_made() -> None:
    before = timezone.now() - dt.timedelta(milliseconds=1)

    assert before <= made_at(new_id()) <= timezone.now()


def test_it_finds_the_first_id_of_a_moment() -> None:
    moment = timezone.now()

    first = first_id_at(moment)

    assert first.version == 7
    assert made_at(first) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    assert first_id_at(moment - dt.timedelta(seconds=1)) < first < new_id()
