"""Stories that trends showed and nobody had listed, read one by one and judged to be no false ones.

Judged so: most of the posts are about one and the same thing that happened, was broadcast or was played (a
game under one hashtag) at that hour. Advertisements, warnings sent by programs, and a word that many happened
to use are false.
"""

from __future__ import annotations

_2011 = {
    "01-24": "kardashian emanuel msnbc oprah rahm_emanuel",
    "01-25": "fok javamusikindo4 natalie_portman andy gray andy_gray emanuel_back supreme_court",
    "01-26": "bachmann president_united mccain cut republicans republican_response ryan party_response "
    "michele_bachmann camera toyota recalling toyota_recalls toyota_recalling keith_lemon",
    "01-27": "flood djokovic charlie_sheen supreme_court sheen emanuel_can",
    "01-28": "rehab",
    "01-29": "rodrigo wheniwaslittle",
    "01-30": "djokovic farmers_insurance",
    "01-31": "julian_assange text_drive texting dont_text assange smartphone unconstitutional florida_judge",
    "02-02": "icantdateyou ncis aguilera daily white_stripes",
    "02-04": "unemployment_rate unemployment",
    "02-05": "crashed_ice",
    "02-07": "avengers",
    "02-08": "keith_olbermann keith olbermann",
}
_OTHERS = {
    ("2012_Sandy_Hurricane", "2012-10-29"): "lights",
    ("2013_Queensland_Floods", "2013-01-28"): "jameslovesjanoskianators",
    ("2013_Queensland_Floods", "2013-01-29"): "mkr",
    ("2013_Queensland_Floods", "2013-01-30"): "mundine",
    ("2013_Boston_Bombings", "2013-04-17"): "honesthour",
    ("2013_West_Texas_Explosion", "2013-04-25"): "memorial westmemorial president",
    ("2013_Oklahoma_Tornado", "2013-05-21"): "norman norman_tebbit kevin_durant",
}
JUDGED: dict[tuple[str, str], tuple[str, ...]] = {
    key: tuple(term.replace("_", " ") for term in terms.split())
    for key, terms in ({("2011", f"2011-{day}"): terms for day, terms in _2011.items()} | _OTHERS).items()
}
"""Their terms by stream and day; what is not here counts as false."""
