"""The house's rules of prose: each phrase that makes a reader go back, with what to write in its place."""

import re
from collections.abc import Iterator

LONGEST = 40
"""Words of a sentence, spans of code not counted."""

CODE = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Stands for a span of code, so that the rules see where a word was."""

PHRASES = {
    r"(is|are|was) none of|none of ours": "say whose it is",
    r"(?<!if )there is none|there (is|are) nothing(?! to)": "say 'no' and name what is missing",
    r"(is|are) not to be": "say 'must not'",
    r"nothing that": "say 'no' with the noun",
    r"the (poorer|richer)|more seldom|the more \w+ the (longer|more|later)": "say which value grows with which",
    r"would tell|(is|are|was|were) told|tells (of|nothing|more)": "say 'shows', 'reports' or 'receives'",
    r"what (it|they|a \w+) comes? to": "say 'outcome' or 'result'",
    r"makes? of (it|them|this|that)\b": "say what is computed",
    r"takes? (the|its|their) place of|in (the )?stead of": "say 'replaces' or 'instead of'",
    r"of (one|its|their|his)('s)? own (time|accord)": "say 'by itself', or who does it",
    r"by who\b|who calls meanwhile": "name the role: client, operator, worker",
    r"whoever may": "name the role: client, operator, worker",
    r"(is|are|was|were) begun|begins? anew|decided anew": "say 'starts' and 'again'",
    r"mend(s|ed|ing)?\b": "say 'fix'",
    r"heard (of|from)|hears? of": "say 'logged', 'notified' or 'learns'",
    r"but for the": "say 'except'",
    r"as ever\b": "say 'as usual'",
    r"left alone": "say 'ignored' or 'kept'",
    r"stands? (still|once|for ever)\b": "say 'is' or 'stops'",
    r"the like\b|and such\b": "name the kind",
    r"hence|thereof|whereof|therein|wherein|thereby|whereby|whence|thence": "this word is archaic",
    r"for want of|lest\b|albeit|whilst|amongst|ere\b": "this word is archaic",
}

OPENINGS = {
    r"What (?!.*\?)": "the subject is a clause: begin with the noun",
    r"Whatever ": "the subject is a clause: begin with the noun",
    r"Who (?!.*\?)": "name the role: client, operator, worker",
    r"Whoever ": "name the role: client, operator, worker",
}
"""How no sentence of a page begins. The first sentence of a docstring may: it names what it describes."""

GLOSSARY = {
    r"workflow instances?": "execution",
    r"(step|activity) (instance|invocation)s?": "attempt",
    r"activit(y|ies)": "step",
    r"dead letters? (message|item)s?": "dead letter",
    r"event history": "records",
    r"visibility lease|lock lease": "lease",
    r"task queues?": "pool",
    r"status (DONE|COMPLETED|ABORTED|TIMED_OUT)": "a status of the glossary",
}
"""Words of other engines, with the word of docs/glossary.md for the same thing."""

RULES = {
    **{re.compile(rf"\b(?:{pattern})", re.IGNORECASE): advice for pattern, advice in PHRASES.items()},
    **{
        re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE): f"the glossary's word is '{word}'"
        for pattern, word in GLOSSARY.items()
    },
}


def without_code(text: str) -> str:
    """The text with its fenced blocks blank and each span of code as one character; lines stay where they are."""

    def blank(match: re.Match[str]) -> str:
        return "\n" * match[0].count("\n")

    text = re.sub(r"^([ ]*)```.*?^[ ]*```[ ]*$", blank, text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"<!--.*?-->", blank, text, flags=re.DOTALL)
    text = re.sub(r"(`+)[^`]+?\1", lambda match: CODE + blank(match), text)
    text = re.sub(r"\]\([^)\s]*\)", "]", text)
    return re.sub(r"https?://\S+", CODE, text)


BLOCK = re.compile(r"\n[ ]*\n|\n(?=[ ]*(?:[-*#>|│├└]|\d+\. ))|\n(?=[ ]*\w+(?:, \w+)*: )")
END = re.compile(r"(?<=[.!?])(?:\*\*|[\"')\]])*\s+(?=[*\"'(\[]*[A-Z0-9" + CODE + r"]|[a-z_]+: )")
"""Where a sentence ends. A docstring's `name: …`, about an argument, begins a new one."""


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Each sentence with its line; cells of tables are no sentences."""
    at = 0
    for block in BLOCK.split(text):
        start = text.index(block, at)
        at = start + len(block)
        if block.lstrip().startswith("|"):
            continue
        inside = 0
        for sentence in END.split(block):
            begins = block.index(sentence, inside)
            inside = begins + len(sentence)
            line = text.count("\n", 0, start + begins + len(sentence) - len(sentence.lstrip()))
            yield line + 1, " ".join(sentence.split())


def words(sentence: str) -> int:
    return sum(1 for word in sentence.split() if re.search(r"\w", word))


def house(text: str, *, docstring: bool = False) -> Iterator[tuple[int, str]]:
    """(line, message) of each place in the text that breaks a rule of the house."""
    plain = without_code(text)
    for pattern, advice in RULES.items():
        for match in pattern.finditer(plain):
            yield plain.count("\n", 0, match.start()) + 1, f"'{' '.join(match[0].split())}': {advice}."
    for number, (line, sentence) in enumerate(sentences(plain)):
        for opening, advice in OPENINGS.items():
            if re.match(opening, sentence) and not (docstring and number == 0):
                yield line, f"'{sentence[:40]}…': {advice}."
        if (count := words(sentence)) > LONGEST:
            yield line, f"a sentence of {count} words, at most {LONGEST}: '{sentence[:60]}…'"
