"""Words that give away what a sentence is: small talk, advertising, teaser, feeling; English and German."""

from __future__ import annotations

import re
from collections.abc import Sequence


class Tell:
    """A list of words and phrases that can be counted in a sentence."""

    def __init__(self, listed: str) -> None:
        """Take words and phrases separated by blanks; `_` joins a phrase, `*` stands for any ending."""
        entries = listed.split()
        self._words = frozenset(
            entry for entry in entries if not re.search(r"[_*\W]", entry.replace("'", ""))
        )
        self._stems = tuple(entry[:-1] for entry in entries if entry.endswith("*") and "_" not in entry)
        self._phrases = tuple(f" {entry.replace('_', ' ')} " for entry in entries if "_" in entry)
        self._openers = frozenset(phrase.split()[0] for phrase in self._phrases)

    def count(self, words: Sequence[str]) -> int:
        """Count which listed words and phrases are among the lower-cased words of a sentence."""
        num = len(self._words.intersection(words))
        for word in words if self._stems else ():
            num += word.startswith(self._stems)
        if not self._openers.isdisjoint(words):
            joined = f" {' '.join(words)} "
            num += sum(phrase in joined for phrase in self._phrases)
        return num


# Chosen by reading what a first version quoted from five sets of real posts and would better not have.
CHATTER = Tell(
    """i im i'm i'd i'll i've me my mine we we're our us lol lmao lmfao rofl haha* hehe* omg wtf smh fml
    idk tbh imo imho wow yay ugh hmm hmmm yo ya yall y'all u ur urself wanna gonna gotta dunno thx pls
    plz please cool awesome amazing sad crazy damn shit shitty fuck* bitch* ass hell dude bro guys
    folks tweeps tweeters hey hi hello ich mir mich mein meine meinen meiner wir uns unser unsere
    bitte danke krass geil scheisse scheiße mega hahaha toll liebe_leute"""
)
ADDRESS = Tell(
    """you your you're yours thank_you thanks congrats congratulations welcome good_luck god_bless
    let's come_on
    du dir dich dein deine ihr euch euer sie_k\u00f6nnen sie_m\u00fcssen herzlichen_gl\u00fcckwunsch"""
)
FEELING = Tell(
    """friend friends hope hopes hoping hopefully
    wish wishing pray praying prayers thoughts love loving hate hates
    inspired proud support solidarity disgusted disgusting shame amen allah inshallah god long_live
    bless viva glad feel feeling imagine believe think thinks thought guess wondering seriously
    literally honestly personally hoffe hoffentlich w\u00fcnsche glaube finde denke meine_meinung
    unglaublich schande traurig stolz freue unfassbar"""
)
TEASER = Tell(
    """watch watching listen tune_in check checkout check_out click read_more read_this must_read
    must_see see_this here's heres here_is here_are find_out learn_how how_to tips ways_to top_ten
    top_10 photos photo pics pictures video videos gallery slideshow livestream live_stream live_blog
    liveblog live_updates webcast podcast blog_post new_post newsletter article editorial oped opinion
    analysis infographic list_of follow following follower* ff retweet rt_if trending hashtag tweets
    tweeting tt your_thoughts what_do_you_think hier_lesen mehr_dazu mehr_infos jetzt_lesen interview
    kommentar lesenswert schaut klickt folgt hier_live im_livestream uhr_live"""
)
ADVERTISING = Tell(
    """buy sale sales discount* coupon* promo* deal deals giveaway win winner cheap cheapest
    free_shipping order_now sign_up signup subscribe subscription register free_download download
    new_in in_stock half_price ebook affiliate earn money_online make_money work_from_home weight_loss
    viagra casino poker forex
    seo hotel_deals vacation* percent_off off_today limited_time shop shopping thread_count sheet_set
    job jobs hiring apply_now vacancy horoscope kaufen rabatt* gutschein* angebot gewinnspiel gratis
    kostenlos jetzt_anmelden newsletter_abonnieren"""
)
SPEAKING = Tell(
    """said says say told tells reports reported reporting report announces announced announce confirms
    confirmed according_to orders ordered imposes imposed declares declared arrests arrested kills
    killed dead died dies injured wounded closes closed blocked blocks shuts shut cuts cut opens
    opened begins began ends ended evacuated evacuates rescued storms clash clashes clashed protest
    protests protested march marched attack attacked attacks fire fires burning resigns resigned wins
    won loses lost launches launched hits hit strikes struck collapsed collapses crashed crashes
    flooded missing appoints appointed names named calls called demands demanded rejects rejected
    approves approved warns warned deploys deployed extends extended cancels cancelled canceled
    delayed restored sagt sagte meldet melden gesperrt geschlossen ge\u00f6ffnet evakuiert verletzt
    tot tote gestorben bestätigt best\u00e4tigt beschlie\u00dft beschlossen fordert fordern
    k\u00fcndigt angek\u00fcndigt verh\u00e4ngt festgenommen brennt stimmt_zu beginnt endet warnt
    lehnt wird wurde wurden ist sind gilt gelten steigt sinkt gestiegen gesunken"""
)
OPENS_QUESTION = re.compile(
    r"^\W*(?:(?:who|what|when|where|why|how|which|whose|anyone|does|do|did|is|are|can|could|should"
    r"|would|will"
    r"|wer|was|wann|wo|warum|wieso|weshalb|welche[rsnm]?|kann jemand|wei\u00df jemand|gibt es)\b)",
    re.IGNORECASE,
)
# What it speaks of stands in a sentence before it, which nobody will see.
POINTS_BACK = re.compile(
    r"^\W*(?:most are|they|he|she|it|this|that|these|those|both|all are|and|but|so|then|also|well|instead"
    r"|again|other|others|only|the (?:first|second|third|former|latter|rest)"
    r"|(?:der|die|das) (?:erste|zweite|dritte|andere|rest)|there|thus"
    r"|therefore|however|earlier|such"
    r"|sie|er|es|das|dies|diese|dieser|die meisten|und|aber|dann|dazu|damit|daher|deshalb|darum"
    r"|alle sind|beide|auch|so|denn|dagegen|ebenfalls|zudem|doch|jedoch|allerdings|stattdessen|dabei"
    r"|dort|hier|\d+\.)\s",
    re.IGNORECASE,
)
# Orders to an assistant are no statement about the world; were one quoted, it would still only be a quote.
ORDERS = re.compile(
    r"\b(?:ignore|disregard|forget|override|ignorier\w*|vergiss)\b.{0,30}\b(?:instructions?|prompts?"
    r"|rules|anweisung\w*|regeln)\b"
    r"|\b(?:system prompt|as an ai|language model|you are now|the assistant (?:must|should)"
    r"|(?:do not|don't|never) (?:quote|cite)|zitier\w* (?:nicht|keine)"
    r"|antworte nur|answer only)\b",
    re.IGNORECASE,
)
# One of these stands in whatever the patterns find; looking for them is a tenth of the work.
HINTS_ORDERS = (
    "ignor", "disregard", "forget", "override", "vergiss", "system prompt", "as an ai", "language model",
    "you are now", "the assistant", "quote", "cite", "zitier", "antworte", "answer only",
)  # fmt: skip
HINTS_ASKS = (
    "any", "knows", "wei\u00df", "weiss", "jemand", "why", "can someone", "what is", "what's", "was ist",
)  # fmt: skip
COMMANDS = re.compile(
    r"^\W*(?:walk|take|use|leave|stay|keep|avoid|call|go|come|bring|help|share|read|see|look|don't"
    r"|do not|never|make"
    r"|bitte|nehmt|kommt|bleibt|meidet|nutzt|lasst)\s",
    re.IGNORECASE,
)
ASKS = re.compile(
    r"\b(?:does any(?:one|body)|any(?:one|body) (?:know|there|else|got|seen)|who knows|wei(?:\u00df"
    r"|ss) jemand|kann jemand"
    r"|why (?:are|is|do|does)|wer wei(?:\u00df|ss)|can someone|what is going on|what's going on"
    r"|what is happening|was ist denn)\b",
    re.IGNORECASE,
)
# A sentence that stops here was cut off by a length limit.
DANGLES = re.compile(
    r"\s[b-hj-tv-z]$|(?:^|[\s(\"'])(?:a|an|the|of|in|on|at|by|to|for|from|with|and|or|but|as|that|which"
    r"|who|than|into"
    r"|over|after|before|about"
    r"|is|are|was|were|has|have|had|be|been|will|would|its|his|her|their|our|my|your|this|these|those"
    r"|it's|he|she|they|i|we|if"
    r"|some|says|said|mr|u|w|s|t|ap|via|due|amid|against|between|during|while|because|not|no|said|until"
    r"|der|die|das|den|dem|des|ein|eine|einen|einem|einer|und|oder|aber|in|im|an|am|auf|aus|bei|mit"
    r"|nach|von|vom|vor|zu|zum|zur"
    r"|f\u00fcr|ist|sind|war|hat|haben|wird|werden|dass|weil|wenn|als|\S*[-/&])$",
    re.IGNORECASE,
)
