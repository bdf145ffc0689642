"""What English messages want of the conversation itself."""

import re

from tenantry.llm.form_policy.language import Intent

_LOOKED_AT = 300
_POLITE = r"(?:please|thanks|thank you|thx|sir|madam|ma'?am|mate|then|now|for me|though|really|sorry)"
_START = (
    r"^(?:(?:hi|hello|hey|ok|okay|well|so|oh|um+|uh+|er+|hmm+|sorry|please|and|but|actually|alright|right)[,.! ]+)*"
)
_END = rf"(?:[,.!? ]+{_POLITE})*[,.!?) ]*$"


def _whole(pattern: str) -> re.Pattern[str]:
    return re.compile(f"{_START}(?:{pattern}){_END}", re.IGNORECASE)


def _part(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_YES_WORD = (
    r"(?:yes|yep|yeah|yup|ya|ye|yessir|aye|sure|sure thing|correct|right|exactly|indeed|affirmative|"
    r"absolutely|definitely|"
    r"certainly|of course|ok|okay|k|y|fine|perfect|great|good|cool|confirmed?|i confirm|true|"
    r"totally|(?:that(?:'s| is)|it(?:'s| is)|"
    r"all(?: is)?|they(?:'re| are)|everything(?:'s| is)?|looks?|sounds?|seems?)(?: all)? (?:right|"
    r"correct|fine|good|perfect|great|ok|okay|it|true|"
    r"accurate)|that works(?: for me)?|works(?: for me)?|go ahead|please do|do it|do that|book it|"
    r"let's do (?:it|that)|i do|i am|it is|"
    r"that is|you got it|got it|spot on|all (?:good|correct|right)|no changes?|nothing to change|"
    r"no problem|yes it is|i'?ll take it)"
)
_NO_WORD = (
    r"(?:no|nope|nah|n|not? (?:quite|right|correct|really|exactly|at all)|wrong|incorrect|negative|false|never|"
    r"(?:that(?:'s| is)|it(?:'s| is)) (?:wrong|not (?:right|correct)|incorrect|not it)|i don'?t(?: think so)?|"
    r"no way|not yet|"
    r"there(?:'s| is) (?:a|one) (?:mistake|error)|something(?:'s| is) (?:wrong|off)|no (?:that|"
    r"it)(?:'s| is) (?:wrong|not right|not correct))"
)

_HUMAN = (
    r"(?:real |live |actual |human )?(?:person|human|people|agent|manager|representative|rep|"
    r"operator|someone|somebody|boss|receptionist|employee)"
)

_PATTERNS: tuple[tuple[Intent, re.Pattern[str]], ...] = (
    (Intent.YES, _whole(rf"{_YES_WORD}(?:[,.! ]+(?:and )?{_YES_WORD}){{0,4}}")),
    (Intent.YES, _part(r"^(?:yes|yep|yeah|yup|correct|exactly)\b(?!,? (?:but|no\b|except))")),
    # "okay, goodbye" agrees to nothing.
    (Intent.YES, _part(r"^(?:sure|ok|okay|perfect)\b(?!,? (?:but|no\b|except))(?!.*\bbye\W*$|.*\bgoodbye\W*$)")),
    (Intent.NO, _whole(rf"{_NO_WORD}(?:[,.! ]+{_NO_WORD}){{0,3}}")),
    (Intent.NO, _part(r"^(?:no|nope|nah|wrong)\b(?! (?:problem|changes?|worries|idea|preference))")),
    (
        Intent.SKIP,
        _whole(
            r"(?:let'?s |can (?:i|we) |i(?:'d| would)? (?:want to |like to |prefer to |'ll |will )?|"
            r"just )?(?:skip|pass)(?: (?:it|that|this)(?: one)?)?|next(?: one| question)?|"
            r"(?:i'?d |i would )?rather not(?: say| tell| share(?: (?:it|that))?)?|prefer not(?: to)?(?: say)?|"
            r"i prefer not to(?: say)?|"
            r"(?:i )?(?:do not|don'?t|dont) (?:really )?(?:know|want to|have (?:one|it|that|any))(?: (?:it|"
            r"that|say|yet|tell|right))*|not sure(?: yet)?|"
            r"i(?:'m| am) not sure(?: yet)?|no idea(?: yet)?|i have no idea|none|nothing|n/?a|not applicable|"
            r"no preference|"
            r"no(?:,)? (?:skip|pass)(?: it| that)?|(?:maybe )?later|not now|leave (?:it|that)(?: out|"
            r" blank| empty)?|unknown|dunno|idk|"
            r"i haven'?t decided(?: yet)?|undecided|not decided yet|that'?s private|none of your business|"
            r"no comment|no thanks|no thank you"
        ),
    ),
    (
        Intent.PARDON,
        _whole(
            r"what|huh|sorry|pardon(?: me)?|come again|excuse me|(?:i )?(?:do not|don'?t|didn'?t) (?:understand|"
            r"get (?:it|that))|what do you mean|what did you (?:just )?say|"
            r"(?:can|could) you repeat(?: (?:the question|that|it))?|"
            r"say (?:that|it) again|repeat"
        ),
    ),
    (
        Intent.GOAL,
        _part(
            r"\b(?:i|we)(?:'d| would)? (?:like|love|want|need|wish|wanna)\b|\b(?:i'?m|we'?re|i am|we are) (?:looking|"
            r"interested|thinking|hoping|calling|planning|selling|buying)\b|\b(?:can|could) (?:you|someone) (?:please "
            r")?help\b|^(?:sell|buy|book|schedule|make)\b|"
            r"\b(?:book|make|schedule|arrange|get) (?:me )?an? (?:appointment|"
            r"meeting|visit|viewing)\b"
        ),
    ),
    (
        Intent.RECALL,
        _part(
            r"\bwhat (?:did|have) you (?:note|noted|got|get|written|write|have|wrote|understood|understand|"
            r"record|recorded|hear|heard)\b|"
            r"\bwhat do you have(?: so far| noted| on me| down|\W*$)|"
            r"\b(?:can|could|would|will) you (?:please )?(?:repeat|"
            r"read|say|recap|summari[sz]e)(?: (?:that|it|this|everything|all|them|what))?\b|"
            r"\b(?:when|what|what time|what day)(?:'s| is| was) (?:my|our) (?:appointment|booking|meeting|"
            r"visit)\b|\bread (?:it|that|everything) back\b|\b(?:give me a |quick )?(?:recap|summary)\b|"
            r"\bsummari[sz]e\b|\bwhat (?:data|details|information|info|notes) (?:do|did|have) you\b|"
            r"\bwhat(?:'s| is) my (?:data|info|information|details)\b|\b(?:repeat|show me) (?:that|it|"
            r"everything|what you|my (?:data|details))\b"
        ),
    ),
    (
        Intent.RESTART,
        _whole(
            r"(?:(?:can|could|i (?:want|would like|'d like)(?: to)?|let's) ?(?:we|i|me|us|you)? ?)?(?:please )?"
            r"(?:start(?:ing)? (?:all )?over(?: again)?|start again|start (?:again )?from (?:scratch|the beginning)|"
            r"(?:from|back to) (?:the top|the beginning|scratch)|begin again|restart|reset|"
            r"(?:clear|delete|forget|erase) (?:everything|all(?: of)?(?: it| that)?|my (?:data|details)))"
        ),
    ),
    (
        Intent.HELLO,
        re.compile(
            r"^(?:(?:hi|hello|hey|hiya|howdy|greetings|good (?:morning|afternoon|evening|day)|yo|hallo)(?: there|"
            r" again| everyone)?[,.! ]*)+$",
            re.IGNORECASE,
        ),
    ),
    (
        Intent.BYE,
        _whole(
            r"(?:good ?bye|bye|bye[ -]bye|see you(?: (?:later|then|soon|there))?|see ya|cheers|ciao|"
            r"take care|have a (?:nice|good|great) (?:day|one|evening|weekend)|talk (?:to you )?later|"
            r"(?:no[,.]? |nothing[,.]? )?(?:(?:thanks|thank you)[,.]? )?(?:i think )?that(?:'?s| is|'?ll be| will be) "
            r"(?:all|it|everything)(?: for now| from me| i need(?:ed)?)?|"
            r"i(?:'m| am) done|we(?:'re| are) done)"
            r"(?:[,.! ]+(?:bye|"
            r"thanks|thank you|see you))*"
        ),
    ),
    (
        Intent.NOTHING_ELSE,
        _whole(r"(?:no[,.]? )?nothing (?:else|more)(?: for now)?(?:[,.! ]+(?:bye|thanks|thank you))*"),
    ),
    (Intent.BYE, _part(r"\b(?:good[ -]?bye?|bye)\W*$")),
    (
        Intent.THANKS,
        _part(
            r"^(?:(?:ok(?:ay)?|great|perfect|super|awesome|wonderful|good|cool|excellent|no|yes|lovely|"
            r"brilliant)[,.! ]+){0,4}(?:many thanks|thanks?(?: you)?(?: (?:so|very) much| a lot| a million)?|"
            r"thx|ty|cheers|much appreciated|i appreciate it)(?:[,.! ]+(?:for [^,.!]{0,60}|that'?s (?:all|"
            r"it|great|perfect)|bye|goodbye|again|you too|have a [^,.!]{0,30})){0,3}[.! ]*$"
        ),
    ),
    (
        Intent.HELP,
        _whole(
            r"help(?: me)?|i need (?:some )?help|(?:what|how) (?:can|do) (?:you|i) do(?: here| for me)?|"
            r"what can (?:you do|i (?:say|ask|do))(?: for me| here)?|how does this work|how do(?:es)? (?:it|"
            r"this) work|what (?:is|are) (?:this|you) for|what do you do|menu|\?+|options|what (?:now|"
            r"next)|what do you need(?: from me)?|what is (?:this|that)(?: about)?"
        ),
    ),
    (
        Intent.WHO,
        _part(
            r"\b(?:who|what) are you\b(?! (?:for|doing|open))|\bwho(?:'s| is) this\b|\bwhat(?:'s| is) your name\b|"
            r"\bwho am i (?:talking|speaking|chatting)\b|\bare you (?:a |an )?(?:real|human|person|robot|"
            r"bot|ai|machine|computer|chat ?bot)\b|\bam i (?:talking|speaking|chatting) (?:to|with)\b"
        ),
    ),
    (
        Intent.HOURS,
        _part(
            r"\b(?:opening|business|office|working) (?:hours|times)\b|\bwhat (?:are your |hours )|\bwhen (?:are|"
            r"do|does|is) (?:you|your office|the office|it|the shop) (?:open|close|guys open)\b|\bwhat (?:time|"
            r"days) (?:are|do) you (?:open|close)\b|\bare you open\b|\b(?:when|until when) (?:do|are) you (?:available|"
            r"open|close)\b|\byour hours\b|\bhow late are you open\b"
        ),
    ),
    (
        Intent.PERSON,
        _part(
            rf"\b(?:speak|talk|chat|connect(?: me)?|transfer(?: me)?|put me through|get me|want|need)(?: (?:to|"
            rf"with))?(?: (?:with|to))?(?: (?:an?|the|your))? ?{_HUMAN}\b|\b(?:real|actual|live) (?:person|"
            rf"human)\b|^(?:human|operator|agent|representative)\W*$|\bcall me back\b"
        ),
    ),
    (
        Intent.TIMES,
        _part(
            r"\bwhat (?:times?|slots?|days?|dates?|openings?|appointments?|availability)\b.{0,40}\b(?:have|"
            r"free|available|open|offer|possible|got|are there|work|suits? you|is there)\b|\bwhat(?:'s|"
            r" is| do you have) (?:available|free|open)\b|\bwhen (?:are|is|would|could|can|do) (?:you|"
            r"they|he|she|it|we|i)\b.{0,30}\b(?:free|available|have time|come|meet|see|view|visit|possible|appointment|"
            r"book)\b|\b(?:any|free|available|open) (?:times?|slots?|appointments?|openings?|availability)\b|"
            r"\banything (?:free|available|open|else|earlier|later|on|in|for)\b|\b(?:other|another|different|"
            r"more|earlier|later) (?:times?|slots?|options?|one|days?)\b|\bavailabilit|\bas soon as (?:possible|"
            r"you can)\b|\basap\b|\b(?:earliest|soonest|next) (?:possible|available|appointment|slot|"
            r"time|free|you)\b|\bany ?time\b|\bwhenever\b|\bi(?:'m| am) (?:flexible|easy|open)\b|\byou (?:choose|"
            r"decide|pick)\b|\bsurprise me\b|^is .{1,30} (?:free|available|open|possible|still free)\b|"
            r"\bhave you got (?:anything|time)\b|\bdo you have (?:anything|"
            r"time|something)\b"
        ),
    ),
    (
        Intent.CANCEL,
        _part(
            r"\b(?:cancel|call off|drop)\b.{0,25}\b(?:it|that|this|appointment|booking|meeting|visit|"
            r"viewing|slot|everything|all)\b|^(?:please )?cancel\W*$|\bi (?:can'?t|cannot|won'?t) (?:make it|"
            r"come)(?: any ?more)?\W*$|\bi(?:'d| would) like to cancel\b|\bi (?:want|need|have) to cancel\b"
        ),
    ),
    (
        Intent.MOVE,
        _part(
            r"\b(?:re-?schedul\w*|re-?book|postpone|push (?:it|that|the)|bring (?:it|that) forward)\b|"
            r"\b(?:move|shift|change)\b.{0,12}\b(?:it|that|this|appointment|booking|meeting|visit|slot|"
            r"time|date|day|viewing)\b|\b(?:another|different|new|other|later|earlier) (?:time|day|date|"
            r"slot)\b"
        ),
    ),
    (
        Intent.NONE_OF_THESE,
        _part(
            r"\bnone of (?:these|those|them|the)\b|^\W*(?:none|neither)\W*$|\bneither (?:of|works?)\b|"
            r"\b(?:(?:these|those|they|that|it) )?(?:don'?t|doesn'?t|do not|won'?t|does not) (?:really )?(?:work|"
            r"suit|fit)\b|\bnot? (?:good|possible) for me\b|\banother day\b|\bdifferent day\b|\bi can'?t (?:do|"
            r"make) (?:any|those|these|that|it)\b"
        ),
    ),
    (Intent.RETRY, _part(r"\b(?:try|do) (?:it |that )?(?:once )?(?:again|more)\b|\bretry\b|\bonce more\b")),
    (
        Intent.CORRECTION,
        _part(
            r"^(?:no|nope|nah|sorry|wait|actually|oops|correction|hold on|i meant?|wrong)\b|\b(?:actually|"
            r"instead|i meant?|correct(?:ion)?|change|changed|replace|update|rather|should be|should read|"
            r"make it|make that|wrong|mistake|typo|not)\b"
        ),
    ),
    (
        Intent.WHY,
        _part(
            r"^(?:and |but )?why\b|\bwhat (?:do you need|is) (?:it|that|this|my \w+) for\b|\bis (?:that|"
            r"it|this) necessary\b"
        ),
    ),
    (
        Intent.ANY,
        _whole(
            r"(?:i )?(?:do not|don'?t) (?:care|mind)|(?:it )?(?:doesn'?t|does not) matter|either(?: one|"
            r" of them| is fine)?|"
            r"any(?: one| of (?:them|those|these))?(?: is| are| works)?(?: fine| ok| good)?|"
            r"(?:all|both) (?:are )?(?:fine|"
            r"good|ok)|"
            r"(?:you )?(?:choose|decide|pick)(?: one)?|whichever|no preference|surprise me"
        ),
    ),
    (
        Intent.KEEP,
        _part(r"\b(?:never ?mind|forget (?:it|about it)|(?:leave|keep) (?:it|things) (?:as|like|the way)|keep it)\b"),
    ),
    (
        Intent.DOUBT,
        _part(
            r"\btoo (?:expensive|pricey|costly|much money|complicated|risky|early)\b|\b(?:can'?t|cannot) afford\b|"
            r"\b(?:over|out of|beyond|not in|above) (?:my|our|the) budget\b|\bcheaper (?:elsewhere|somewhere|at)\b|"
            r"\bthink (?:about (?:it|this|that)|it over|that over)\b|"
            r"\bnot (?:so |really |quite )?sure (?:if|whether|it|this|that|about|we|i)\b|\bnot (?:really )?convinced\b|"
            r"\b(?:worried|concerned|sceptical|skeptical|hesitant)\b|\bwe(?: already|'re already|'ve already) "
            r"(?:have|use|using|got)\b|\b(?:do not|don'?t) (?:really )?(?:trust|see (?:the point|why))\b|"
            r"\bnot (?:really )?interested\b"
        ),
    ),
    (
        Intent.UPSET,
        _part(
            r"\b(?:ridiculous|unacceptable|outrageous|furious|angry|terrible|awful|horrible|disgusting|useless|"
            r"frustrat\w+|annoy(?:ed|ing)|disappoint\w+|fed up|sick of|worst|scam|rip-?off|hate|"
            r"not (?:happy|great|good)|(?:nobody|no one) (?:answers|helps|cares|replies|responds|"
            r"listens)|for the (?:second|third|fourth) time)\b"
        ),
    ),
    (
        Intent.PLEASED,
        _part(
            r"(?<!not )(?<!n't )\b(?:great|perfect|wonderful|awesome|excellent|amazing|fantastic|brilliant|lovely|"
            r"i love|happy|glad|delighted|very helpful)\b"
        ),
    ),
    (
        Intent.SOLVED,
        _part(
            r"\b(?:is|it'?s|it has been|got|been|all|now) (?:now )?(?:solved|fixed|resolved|sorted)\b|"
            r"\b(?:it |that |everything )?(?:works|working) (?:now|again|fine now)\b|"
            r"\b(?:that|this) (?:fixed|solved|did) it\b|\bproblem(?: is)? (?:solved|gone)\b|"
            r"\bgot it (?:working|to work)\b"
        ),
    ),
    (
        Intent.UNSOLVED,
        _part(
            r"\bstill (?:not|broken|the same|down|wrong|waiting|can'?t|cannot|does(?:n'?t| not)|is(?:n'?t| not)|"
            r"has(?:n'?t| not)|nothing)\b|\b(?:not|isn'?t|hasn'?t been|wasn'?t) (?:yet )?(?:solved|fixed|resolved|"
            r"sorted|working)\b|\b(?:does|did)(?:n'?t| not) (?:work|help)\b"
        ),
    ),
    (
        Intent.QUESTION,
        _part(
            r"\?\s*$|^(?:(?:and|but|so|ok|okay|well)[, ]+)?(?:what|who|whose|when|where|why|how|which|"
            r"do you|does|can you|could you|are you|is it|is there|will you|would you|did you|how much|"
            r"may i|can i)\b"
        ),
    ),
)


def intents(text: str) -> frozenset[Intent]:
    """All that `text` may want. Only its first 300 characters are looked at: what is longer is about something else."""
    short = text[:_LOOKED_AT].strip()
    return frozenset(intent for intent, pattern in _PATTERNS if pattern.search(short))


def wants(text: str, intent: Intent) -> bool:
    """Whether `intents` names this one for `text`, at the cost of this one alone."""
    short = text[:_LOOKED_AT].strip()
    return any(pattern.search(short) for named, pattern in _PATTERNS if named is intent)


_ORDINALS = {
    "first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4, "5th": 4,
    "sixth": 5, "6th": 5, "last": -1, "latest": -1, "former": 0, "latter": -1, "earliest": 0, "earlier": 0, "later": -1,
    "middle": 1,
}  # fmt: skip
_ORDINAL = re.compile(
    rf"{_START}(?:(?:i(?:'d| would|'ll| will)? (?:like|take|prefer|choose|want|go (?:with|for)|"
    rf"have|pick)|let'?s (?:do|take|go with)|make it|give me|yes|book|take|how about) ?,? ?)?"
    rf"(?:the |that |your )?(?:(?:number|option|slot|choice|no\.?|#) ?(\d)|({'|'.join(_ORDINALS)}))(?: (?:one|"
    rf"option|slot|time|choice|works?|is (?:fine|good|ok|okay|great)|sounds (?:good|great)|please|"
    rf"suits me|appointment))*{_END}",
    re.IGNORECASE,
)


def ordinal(text: str, count: int) -> int | None:
    """The index that "the second one", "option 2" or "the last" means among `count` things."""
    found = _ORDINAL.match(text[:100].strip())
    if found is None or count == 0:
        return None
    index = int(found[1]) - 1 if found[1] else _ORDINALS[found[2].lower()]
    index = count - 1 if index == -1 and not found[1] else index
    return index if 0 <= index < count else None
