"""Function words of English and German, folded; what is not in here carries a topic."""

from __future__ import annotations

# Closed classes (articles, pronouns, prepositions, conjunctions, auxiliaries), written down by hand.
ENGLISH = frozenset(
    """a an the this that these those i me my mine we us our ours you your yours he him his she her hers
    it its they them their theirs who whom whose which what when where why how is am are was were be
    been being do does did doing done have has had having will would shall should can could may might
    must not no nor n't to of in on at by for from with about into over after before under again
    between through during above below up down out off than then once here there all any both each few
    more most other some such only own same so too very just and but if or because as until while also
    via rt amp im i'm it's dont don't cant can't isnt isn't wont won't didnt didn't doesnt doesn't
    youre you're theyre they're thats that's ive i've id i'd ill i'll lets let's there's heres here's
    what's whats who's he's she's we're we've u ur r yet still per one
    anyone anybody someone somebody everyone everybody anything nothing""".split()
)
GERMAN = frozenset(
    """der die das den dem des ein eine einen einem einer eines ich du er sie es wir ihr mich dich ihn
    uns euch mir dir ihm ihnen mein meine dein deine sein seine seiner seinen seinem ihre ihren ihrem
    ihrer unser unsere unserer unseren euer eure wer wen wem wessen was wann wo warum wieso weshalb
    wie welche welcher welches welchen ist bin bist sind seid war waren warst sein gewesen wird werden
    wurde wurden worden werde hat habe haben hatte hatten habt kann konnen konnte konnten muss mussen
    musste soll sollen sollte will wollen wollte darf durfen nicht kein keine keinen keinem keiner zu
    zum zur von vom in im ins an am auf aus bei beim mit nach uber unter vor durch fur gegen ohne um
    bis ab seit wahrend wegen zwischen und oder aber denn weil dass daß wenn ob als also auch noch nur
    schon sehr so dann da dort hier jetzt nun mal man sich dieser diese dieses diesen diesem jeder
    jede jedes jeden alle allem allen aller alles viel viele mehr etwas nichts doch ja nein etwa eben
    gerade immer wieder dazu damit dabei darauf daruber davon hin her ganz heute uns""".split()
)
STOPWORDS = ENGLISH | GERMAN
