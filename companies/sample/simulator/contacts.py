"""Names, e-mail addresses and phone numbers of persons, and the spellings in which people give them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import Config
from .identities import TRANSITIVE, Identities
from .names import GIVEN_EN, GIVEN_PINYIN, GIVEN_ZH, MAIL_DOMAINS, SURNAMES_EN, SURNAMES_PINYIN, SURNAMES_ZH
from .people import People
from .random_streams import stream

# what clerks type to get past the field; a seed of the project knows it
PLACEHOLDER_PHONE = "13800138000"


@dataclass(frozen=True)
class Contacts:
    """Texts of the persons, in their order; None where the master system knows none.

    Attributes:
        name: full name.
        email, phone: as the person has them, each of one person alone; a customer may have given another's phone.
        email_on_file, phone_on_file: as the master system has them.
    """

    name: list[str]
    email: list[str]
    phone: list[str]
    email_on_file: list[str | None]
    phone_on_file: list[str | None]


def draw_contacts(config: Config, chunk: int, people: People, identities: Identities) -> Contacts:
    """Contacts of a chunk; what links an id of the till is on file."""
    random = stream(config.seed, chunk, "contacts")
    count = people.count
    surname, given = random.integers(0, 1 << 30, (2, count))
    domain = random.integers(0, len(MAIL_DOMAINS), count)
    lacks_email = (random.random(count) < 0.08) & ~identities.needs_email
    lacks_phone = ((random.random(count) < 0.06) & ~identities.needs_phone) | (identities.link == TRANSITIVE)
    is_placeholder = (random.random(count) < config.identities.placeholder_share) & ~identities.needs_phone
    owner = np.where(identities.shares_phone_with >= 0, identities.shares_phone_with, np.arange(count))
    spelling = np.where(random.random(count) < 0.1, random.integers(1, 4, count), 0)
    names, emails, phones = [], [], []
    for person in range(count):
        family, first = int(surname[person]), int(given[person])
        if people.is_english[person]:
            family_name, first_name = SURNAMES_EN[family % len(SURNAMES_EN)], GIVEN_EN[first % len(GIVEN_EN)]
            names.append(f"{first_name} {family_name}")
            mailbox = "".join(
                letter for letter in f"{first_name}.{family_name}".lower() if letter.isascii() and letter != "'"
            )
        else:
            names.append(SURNAMES_ZH[family % len(SURNAMES_ZH)] + GIVEN_ZH[first % len(GIVEN_ZH)])
            mailbox = SURNAMES_PINYIN[family % len(SURNAMES_ZH)] + GIVEN_PINYIN[first % len(GIVEN_ZH)]
        emails.append(f"{mailbox}{people.till_numbers[person]}@{MAIL_DOMAINS[domain[person]]}")
        phones.append(str(people.phone_numbers[person]))
    return Contacts(
        name=names,
        email=emails,
        phone=phones,
        email_on_file=[None if lacks else email for email, lacks in zip(emails, lacks_email, strict=True)],
        phone_on_file=[
            PLACEHOLDER_PHONE if placeholder else None if lacks else spell_phone(phones[person], int(way))
            for person, placeholder, lacks, way in zip(owner, is_placeholder, lacks_phone, spelling, strict=True)
        ],
    )


def spell_phone(phone: str, way: int) -> str:
    """A mobile number as people write it: plain, with the country code, with spaces, with signs."""
    grouped = (phone[:3], phone[3:7], phone[7:])
    return (phone, f"+86{phone}", " ".join(grouped), f"+86 {'-'.join(grouped)}")[way % 4]


def spell_email(email: str, way: int) -> str:
    """An address as people write it: plain, in capitals, with spaces around it, with its first letter large."""
    return (email, email.upper(), f"  {email} ", email.capitalize())[way % 4]
