"""The sentences of an answer in English; no logic beyond grammar."""

from __future__ import annotations

from hubbub.assistant.wording import Contrary, Note, Said, Scene, Stance
from hubbub.units import US_PER_DAY, US_PER_HOUR, US_PER_MINUTE

_NUMBERS = "no one two three four five six seven eight nine ten eleven twelve".split()


class English:
    """British in spelling, plain in tone."""

    lang = "en"

    def age(self, age_us: int) -> str:
        """Say how long ago something was, in one unit, rounded."""
        minutes, hours, days = (age_us / unit for unit in (US_PER_MINUTE, US_PER_HOUR, US_PER_DAY))
        if minutes < 1:
            return "just now"
        if minutes < 59.5:
            return _plural(round(minutes), "minute") + " ago"
        if hours < 35.5:
            return _plural(round(hours), "hour") + " ago"
        if days < 60:
            return _plural(round(days), "day") + " ago"
        if days < 700:
            return _plural(round(days / 30.44), "month") + " ago"
        return _plural(round(days / 365.25), "year") + " ago"

    def lead(self, scene: Scene, said: Said, stance: Stance) -> str:
        """Open the answer with its weightiest statement."""
        quote = _quoted(said.quote)
        if scene.intent == "check":
            return f"{self._verdict(scene, said, stance)}: {quote}"
        if scene.num_voices <= 1 and said.num_voices:
            alone = "Only one account posted about this"
            hedge = "perhaps no answer" if scene.is_doubtful else "nobody else confirms it"
            return f"{alone}, {hedge} ({self._source(said)}): {quote}"
        if scene.intent == "topic" and not scene.subject:
            return self.story(said)  # who wrote "about" something else need not agree with this
        voices = f"{'at least ' if scene.is_more else ''}{_count(scene.num_voices)}"
        if scene.intent == "opinion":
            return f"{self._opening(scene, voices, 'spoke')}. Typical ({self._who(said)}): {quote}"
        if scene.intent in {"news", "topic"}:
            main = "Main story" if said.num_voices > 1 else "Foremost"
            main = "Closest to it" if scene.intent == "topic" else main
            return f"{self._opening(scene, voices, 'wrote')}. {main} ({self._who(said)}): {quote}"
        best = "Perhaps no answer, but the closest" if scene.is_doubtful else "Best answer"
        if scene.num_voices <= max(said.num_voices, 1):
            return f"{best} ({self._who(said)}): {quote}"
        if said.num_voices > 1:
            return f"{best} ({_number(said.num_voices)} of {voices}, {self._when(said)}): {quote}"
        return f"{best} among {voices} ({self._who(said)}): {quote}"

    def _verdict(self, scene: Scene, said: Said, stance: Stance) -> str:
        if stance == "near":
            return f"Nobody who was found says or denies it outright. Closest ({self._who(said)})"
        one, many = ("says so", "say so") if stance == "says" else ("denies it", "deny it")
        only = "Only one" if scene.num_voices <= 1 else "One"
        who = (
            f"{_number(said.num_voices).capitalize()} voices {many}"
            if said.num_voices > 1
            else f"{only} voice {one}"
        )
        return f"{who} ({self._source(said)})"

    def story(self, said: Said) -> str:
        """Tell another statement."""
        if said.num_voices > 1:
            return (
                f"{_number(said.num_voices).capitalize()} voices ({self._when(said)}): {_quoted(said.quote)}"
            )
        one = "One voice" if said.num_voices else "An automatic source"
        return f"{one} ({self._source(said)}): {_quoted(said.quote)}"

    def several(self, said: Said, claim: str) -> str:
        """Tell in a model's words what several voices say."""
        return f"{_number(said.num_voices).capitalize()} voices say ({self._when(said)}): {claim}"

    def detail(self, said: Said) -> str:
        """Add a statement to the one before."""
        return f"More on this ({self._source(said)}): {_quoted(said.quote)}"

    def conflict(self, said: Said, contrary: Contrary) -> str:
        """Tell a statement that contradicts the one before."""
        quote, voices = _quoted(said.quote), _count(said.num_voices)
        if contrary == "denied":
            verb = "contradict" if said.num_voices > 1 else "contradicts"
            return f"But {voices} {verb} this ({self._source(said)}): {quote}"
        if contrary == "overtaken":
            return f"Before that, {voices} had claimed the opposite ({self._source(said)}): {quote}"
        return f"Figures differ ({self._source(said)}): {quote}"

    def note(self, note: Note, scene: Scene) -> str:
        """Say what the answer cannot say."""
        about = f" about {scene.subject}" if scene.subject else ""
        window = f" {self._window(scene)}" if self._window(scene) else ""
        open_ = about or " that answers this"
        asked = "" if scene.meant.endswith("?") else "?"
        meant = f" Did you mean “{scene.meant}”{asked}" if scene.meant else ""
        return {
            "nothing": f"Nothing was found{open_}{window}.{meant}",
            "nothing_in_window": f"Nothing was found{open_}{window}, nor at other times.{meant}",
            "elsewhen": f"Nothing was found{about}{window}; this is from other times.",
            "not_searchable": "This question names nothing to search for: add a place, a person or a topic.",
            "uncontradicted": "No post that was found contradicts this; that alone does not prove it.",
            "lost": "Posts were found, but none of them could be quoted.",
        }[note]

    def _opening(self, scene: Scene, voices: str, verb: str) -> str:
        about = f" about {scene.subject}" if scene.subject else ""
        window = self._window(scene)
        opening = f"{window}, {voices}" if window else voices
        return f"{opening[:1].upper()}{opening[1:]} {verb}{about}"

    def _who(self, said: Said) -> str:
        """Number and age of the voices; of a single one its name."""
        if said.num_voices > 1:
            return f"{_count(said.num_voices)}, {self._when(said)}"
        if not said.num_voices:
            return (
                f"automatic source {self._source(said)}" if said.handle else f"automatic, {self._when(said)}"
            )
        return self._source(said) if said.handle else f"one voice, {self._when(said)}"

    def _source(self, said: Said) -> str:
        """Age, and the name where there is just one."""
        when = self._when(said)
        return f"@{said.handle}, {when}" if said.handle and said.num_voices <= 1 else when

    def _when(self, said: Said) -> str:
        first, last = self.age(said.first_age_us), self.age(said.last_age_us)
        return last if first == last else f"first {first}, latest {last}"

    def _window(self, scene: Scene) -> str:
        if scene.window:
            return scene.window[:1].lower() + scene.window[1:]
        if scene.window_us is None:
            return ""
        hours = round(scene.window_us / US_PER_HOUR)
        return f"in the last {hours} hours" if hours <= 48 else f"in the last {round(hours / 24)} days"


def _quoted(text: str) -> str:
    return f"\u201c{text}\u201d" + (
        "" if text.rstrip("\"'\u201c\u201d\u2019\u2069)")[-1:] in tuple(".!?\u2026") else "."
    )


def _number(value: int) -> str:
    return _NUMBERS[value] if value < len(_NUMBERS) else f"{value:,}"


def _count(value: int) -> str:
    return f"{_number(value)} {'voice' if value == 1 else 'voices'}"


def _plural(value: int, unit: str) -> str:
    return f"{value} {unit}" if value == 1 else f"{value:,} {unit}s"
