"""Finds dates in text: ISO dates, days first with dots, and names of months in seven languages. Pure.

A date of digits and slashes is left out, because nobody can tell 3/4/2024 of London from that of Boston.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

_MONTHS = [
    line.split()
    for line in (
        "january jan januar jänner janvier enero gennaio janeiro januari",
        "february feb februar février febrero febbraio fevereiro februari",
        "march mar märz mars marzo março maart",
        "april apr avril abril aprile",
        "may mai mayo maggio maio mei",
        "june jun juni juin junio giugno junho",
        "july jul juli juillet julio luglio julho",
        "august aug août agosto augustus",
        "september sept sep septembre septiembre settembre setembro",
        "october oct oktober octobre octubre ottobre outubro",
        "november nov novembre noviembre novembro",
        "december dec dezember décembre diciembre dicembre dezembro",
    )
]
"""By English, German, French, Spanish, Italian, Portuguese and Dutch names."""
_NUMBER_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names}
_MONTH = "|".join(sorted(map(re.escape, _NUMBER_OF), key=len, reverse=True))
_DATE = re.compile(
    rf"""(?<![\w.-])(?:
      (?P<y1>\d{{4}})-(?P<m1>\d{{2}})-(?P<d1>\d{{2}})
    | (?P<d2>\d{{1,2}})\.\s?(?P<m2>\d{{1,2}})\.\s?(?P<y2>\d{{4}})
    | (?P<d3>\d{{1,2}})(?:st|nd|rd|th|er|º|\.)?(?:\s+(?:of|de|di))?\s+(?P<m3>{_MONTH})\.?(?:\s+de)?,?\s+(?P<y3>\d{{4}})
    | (?P<m4>{_MONTH})\.?\s+(?P<d4>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y4>\d{{4}})
    )(?![\w-])""",
    re.VERBOSE | re.IGNORECASE,
)


def dates_in(text: str) -> Iterator[date]:
    """Yields the dates of a text in order; those that no calendar has are left out."""
    for found in _DATE.finditer(text):
        year, month, day = (next(found[f"{part}{n}"] for n in "1234" if found[f"{part}{n}"]) for part in "ymd")
        try:
            yield date(int(year), _NUMBER_OF.get(month.lower()) or int(month), int(day))
        except ValueError:
            continue
