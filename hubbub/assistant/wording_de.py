"""The sentences of an answer in German; no logic beyond grammar."""

from __future__ import annotations

from hubbub.assistant.wording import Contrary, Note, Said, Scene, Stance
from hubbub.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE

_NUMBERS = "keine eine zwei drei vier f\u00fcnf sechs sieben acht neun zehn elf zw\u00f6lf".split()
_UNCONFIRMED = "niemand sonst best\u00e4tigt es"


class German:
    """Plain in tone."""

    lang = "de"

    def age(self, age_us: int) -> str:
        """Say how long ago something was, in one unit, rounded."""
        minutes, hours, days = (age_us / unit for unit in (US_PER_MINUTE, US_PER_HOUR, US_PER_DAY))
        if minutes < 1:
            return "gerade eben"
        if minutes < 59.5:
            return "vor einer Minute" if round(minutes) == 1 else f"vor {round(minutes)} Minuten"
        if hours < 35.5:
            return "vor einer Stunde" if round(hours) == 1 else f"vor {round(hours)} Stunden"
        if days < 60:
            return f"vor {round(days)} Tagen"
        if days < 700:
            return f"vor {round(days / 30.44)} Monaten"
        return f"vor {_digits(round(days / 365.25))} Jahren"

    def lead(self, scene: Scene, said: Said, stance: Stance) -> str:
        """Open the answer with its weightiest statement."""
        quote = _quoted(said.quote)
        if scene.intent == "check":
            return f"{self._verdict(scene, said, stance)}: {quote}"
        if scene.num_voices <= 1 and said.num_voices:
            alone = "Nur ein Konto schreibt davon"
            hedge = "vielleicht beantwortet es die Frage nicht" if scene.is_doubtful else _UNCONFIRMED
            return f"{alone}, {hedge} ({self._source(said)}): {quote}"
        if scene.intent == "topic" and not scene.subject:
            return self.story(said)
        voices = f"{'mindestens ' if scene.is_more else ''}{_count(scene.num_voices)}"
        if scene.intent == "opinion":
            return f"{self._opening(scene, voices, 'sprachen')}. Typisch ({self._who(said)}): {quote}"
        if scene.intent in {"news", "topic"}:
            main = "Vor allem" if scene.intent == "news" else "Am n\u00e4chsten kommt"
            return f"{self._opening(scene, voices, 'schrieben')}. {main} ({self._who(said)}): {quote}"
        best = "Vielleicht keine Antwort, aber am n\u00e4chsten" if scene.is_doubtful else "Am besten passt"
        if scene.num_voices <= max(said.num_voices, 1):
            return f"{best} ({self._who(said)}): {quote}"
        if said.num_voices > 1:
            return f"{best} ({_number(said.num_voices)} von {voices}, {self._when(said)}): {quote}"
        return f"{best} unter {voices} ({self._who(said)}): {quote}"

    def _verdict(self, scene: Scene, said: Said, stance: Stance) -> str:
        if stance == "near":
            return (
                f"Kein gefundener Beitrag sagt oder verneint das. Am n\u00e4chsten kommt ({self._who(said)})"
            )
        one, many = ("sagt das", "sagen das") if stance == "says" else ("verneint das", "verneinen das")
        only = "Nur eine" if scene.num_voices <= 1 else "Eine"
        who = (
            f"{_number(said.num_voices).capitalize()} Stimmen {many}"
            if said.num_voices > 1
            else f"{only} Stimme {one}"
        )
        return f"{who} ({self._source(said)})"

    def story(self, said: Said) -> str:
        """Tell another statement."""
        if said.num_voices > 1:
            return (
                f"{_number(said.num_voices).capitalize()} Stimmen ({self._when(said)}): {_quoted(said.quote)}"
            )
        one = "Eine Stimme" if said.num_voices else "Automatische Quelle"
        return f"{one} ({self._source(said)}): {_quoted(said.quote)}"

    def several(self, said: Said, claim: str) -> str:
        """Tell in a model's words what several voices say."""
        return f"{_number(said.num_voices).capitalize()} Stimmen sagen ({self._when(said)}): {claim}"

    def detail(self, said: Said) -> str:
        """Add a statement to the one before."""
        return f"Mehr dazu ({self._source(said)}): {_quoted(said.quote)}"

    def conflict(self, said: Said, contrary: Contrary) -> str:
        """Tell a statement that contradicts the one before."""
        quote, voices = _quoted(said.quote), _count(said.num_voices)
        if contrary == "denied":
            verb = "widersprechen" if said.num_voices > 1 else "widerspricht"
            return f"Dem {verb} {voices} ({self._source(said)}): {quote}"
        if contrary == "overtaken":
            verb = "hatten" if said.num_voices > 1 else "hatte"
            return f"Zuvor {verb} {voices} das Gegenteil behauptet ({self._source(said)}): {quote}"
        return f"Die Zahlen gehen auseinander ({self._source(said)}): {quote}"

    def note(self, note: Note, scene: Scene) -> str:
        """Say what the answer cannot say."""
        about = f" zum Thema {scene.subject}" if scene.subject else ""
        window = f" {self._window(scene)}" if self._window(scene) else ""
        open_ = ", das darauf antwortet" + ("," if window else "")
        meant = f" War „{scene.meant}“ gemeint?" if scene.meant else ""
        return {
            "nothing": f"Nichts gefunden{about or open_}{window}.{meant}",
            "nothing_in_window": f"Nichts gefunden{about}{window}, auch nicht zu anderer Zeit.{meant}",
            "elsewhen": f"Nichts gefunden{about}{window}; dies ist aus anderer Zeit.",
            "not_searchable": "Diese Frage nennt nichts Suchbares; bitte Ort, Person oder Thema nennen.",
            "uncontradicted": "Kein gefundener Beitrag widerspricht dem; bewiesen ist es damit nicht.",
            "lost": "Es wurden Beitr\u00e4ge gefunden, aber keiner davon l\u00e4sst sich zitieren.",
        }[note]

    def _opening(self, scene: Scene, voices: str, verb: str) -> str:
        about = f" zum Thema {scene.subject}" if scene.subject else ""
        window = self._window(scene)
        verb = verb if scene.num_voices > 1 else {"schrieben": "schrieb", "sprachen": "sprach"}[verb]
        opening = f"{window} {verb} {voices}" if window else f"{voices} {verb}"
        return f"{opening[:1].upper()}{opening[1:]}{about}"

    def _who(self, said: Said) -> str:
        """Number and age of the voices; of a single one its name."""
        if said.num_voices > 1:
            return f"{_count(said.num_voices)}, {self._when(said)}"
        if not said.num_voices:
            return (
                f"automatische Quelle {self._source(said)}"
                if said.handle
                else f"automatisch, {self._when(said)}"
            )
        return self._source(said) if said.handle else f"eine Stimme, {self._when(said)}"

    def _source(self, said: Said) -> str:
        """Age, and the name where there is just one."""
        when = self._when(said)
        return f"@{said.handle}, {when}" if said.handle and said.num_voices <= 1 else when

    def _when(self, said: Said) -> str:
        first, last = self.age(said.first_age_us), self.age(said.last_age_us)
        return last if first == last else f"zuerst {first}, zuletzt {last}"

    def _window(self, scene: Scene) -> str:
        if scene.window:
            return scene.window[:1].lower() + scene.window[1:]
        if scene.window_us is None:
            return ""
        hours = round(scene.window_us / US_PER_HOUR)
        return (
            f"in den letzten {hours} Stunden" if hours <= 48 else f"in den letzten {round(hours / 24)} Tagen"
        )


def _quoted(text: str) -> str:
    return f"\u201e{text}\u201c" + (
        "" if text.rstrip("\"'\u201c\u201d\u2019\u2069)")[-1:] in tuple(".!?\u2026") else "."
    )


def _digits(value: int) -> str:
    return f"{value:,}".replace(",", ".")


def _number(value: int) -> str:
    return _NUMBERS[value] if value < len(_NUMBERS) else _digits(value)


def _count(value: int) -> str:
    return f"{_number(value)} {'Stimme' if value == 1 else 'Stimmen'}"
