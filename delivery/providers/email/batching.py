"""Which mails go out in one call of a service's API. Pure: it neither writes nor sends."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from delivery.providers.email.composing import Mail

Batch = Sequence[Mail]
"""Mails to different addresses, alike but for their words: with one call, or with one less than they are."""

_OVERHEAD = 1_000
"""Bytes of a recipient beside the words: address, reference, JSON."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may hold. `own_words` is how many bytes one recipient may be told and the others not."""

    recipients: int = 1
    own_words: int = 0
    size: int = 20_000_000
    attachments: bool = True


def batches(mails: Sequence[Mail], limits: Limits) -> list[Batch]:
    """All of them, each once. Nobody is written to twice by one call: a second mail goes with another."""
    groups: dict[Hashable, list[Mail]] = defaultdict(list)
    met: Counter[Hashable] = Counter()
    for mail in mails:
        kind = _kind(mail, limits)
        groups[kind, met[kind, mail.to.lower()]].append(mail)
        met[kind, mail.to.lower()] += 1
    return [batch for group in groups.values() for batch in _within(group, limits)]


def say_the_same(batch: Batch) -> bool:
    return len({mail.words for mail in batch}) == 1


def _kind(mail: Mail, limits: Limits) -> Hashable:
    """Mails of one kind may share a call. One with copies goes alone: whom a receipt is about stays clear."""
    envelope = mail.envelope
    if envelope.cc or envelope.bcc or (envelope.attachments and not limits.attachments):
        return mail.message.reference
    words = mail.words if mail.words.size > limits.own_words else bool(mail.words.html)
    return envelope, words, bool(mail.own_headers)


def _within(group: Sequence[Mail], limits: Limits) -> Iterator[Batch]:
    """As many at a time as a call holds."""
    shared = sum(len(file.content) for file in group[0].envelope.attachments)
    batch: list[Mail] = []
    size = shared
    for mail in group:
        more = mail.words.size + _OVERHEAD
        if batch and (len(batch) == limits.recipients or size + more > limits.size):
            yield batch
            batch, size = [], shared
        batch.append(mail)
        size += more
    yield batch
