"""The few words of each language that carry no topic; short on purpose, posts being short."""

from __future__ import annotations

# English: the 33 words of Lucene's classic list plus "rt" (the mark of an old-style repost). Other languages:
# articles, pronouns of the third person, the commonest prepositions and auxiliaries; chosen by us, about as
# long, in folded form.
_LISTS = {
    "en": (
        "a an and are as at be but by for if in into is it no not of on or such that the their then "
        "there these they this to was will with rt"
    ),
    "de": (
        "der die das den dem des ein eine einen einem einer und oder aber ist sind war im in an am "
        "auf aus bei mit nach von vom vor zu zum zur fur nicht auch es er sie wir sich dass als wie "
        "rt"
    ),
    "fr": (
        "le la les l d un une des du de et ou a au aux en dans par pour sur est sont que qui ce "
        "cette il elle on ne pas se plus avec rt"
    ),
    "es": (
        "el la los las un una unos unas y o de del a al en por para con es son que no se su lo como mas rt"
    ),
    "pt": (
        "o a os as um uma e ou de do da dos das em no na nos nas por para com que nao se e sao ao mais rt"
    ),
    "it": (
        "il lo la i gli le l un una uno e o di del della dei a al in nel con per da dal su che non "
        "si e sono come rt"
    ),
    "nl": ("de het een en of van in op aan met voor is zijn was dat die niet er te bij ook als om naar rt"),
    "sv": "en ett och eller i pa av for med till som det den de ar var att inte om fran rt",
    "da": "en et og eller i pa af for med til som det den de er var at ikke om fra rt",
    "no": "en et og eller i pa av for med til som det den de er var at ikke om fra rt",
    "fi": "ja tai on oli ei se ne han etta kun kuin myos rt",
    "ru": (
        "\u0438 \u0432 \u0432\u043e \u043d\u0435 \u043d\u0430 \u0441 "
        "\u0441\u043e \u0447\u0442\u043e \u043a\u0430\u043a \u0430 \u043f\u043e "
        "\u044d\u0442\u043e \u0438\u0437 \u0443 \u0437\u0430 \u043e\u0442 \u043a "
        "\u0434\u043e \u043e \u043d\u043e \u0436\u0435 \u0434\u043b\u044f "
        "rt"
    ),
    "tr": "ve bir bu da de ile icin mi ne o ki ama cok rt",
    "id": "yang di dan ini itu dari ke untuk dengan ada tidak pada rt",
}

STOP_WORDS = {lang: frozenset(words.split()) for lang, words in _LISTS.items()}
"""Folded stop words by ISO 639-1 code; a language without an entry has none."""

# Words that ask, and what surrounds them in a question: they are in every third post and in no answer. Only
# queries leave them out, and only if other words remain.
_ASKING = {
    "en": (
        "what who whom whose where when which why how did do does has have had he she his her him "
        "hers you your i my me we our us its about many much tweet tweets tweeted someone something "
        "were"
    ),
    "de": (
        "was wer wem wen wessen wo wohin woher wann welche welcher welches welchen warum wieso "
        "weshalb wie viele viel hat haben hatte wird werden wurde wurden sein seine ihr ihre ich "
        "mein du dein euer uns unser uber jemand etwas gibt"
    ),
    "es": (
        "que quien quienes donde cuando cual cuales como cuanto cuantos porque ha han habia mi tu "
        "sobre alguien"
    ),
    "fr": ("qui quoi quel quelle quels quelles ou quand comment combien pourquoi a ont avait mon ton sa son"),
}

ASKING_WORDS = {lang: frozenset(words.split()) for lang, words in _ASKING.items()}
"""Folded question words by ISO 639-1 code."""
