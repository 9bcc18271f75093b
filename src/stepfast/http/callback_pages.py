"""The pages behind an answer link, as HTML that works without JavaScript and loads nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from html import escape
from typing import Any

from stepfast.http.callback_forms import Form, FormField

_STYLE = """
:root{color-scheme:light dark}
*{box-sizing:border-box}
body{margin:0;font:1rem/1.5 system-ui,sans-serif;background:#f6f7f8;color:#1b1f23}
main{max-width:34rem;margin:0 auto;padding:1.25rem 1rem 3rem;overflow-wrap:anywhere}
h1{font-size:1.35rem;line-height:1.3;margin:.5rem 0}
p{margin:.5rem 0}
.quiet{color:#545d66;font-size:.9rem}
fieldset,.field{border:0;margin:1.1rem 0 0;padding:0}
legend,label.of{font-weight:600;padding:0;display:block}
.choice{display:flex;gap:.6rem;align-items:center;padding:.6rem .75rem;margin-top:.5rem;border:1px solid #8a939c;
border-radius:.5rem;background:#fff;cursor:pointer}
.choice input{width:1.15rem;height:1.15rem;flex:none;margin:0}
.choice:focus-within,input:focus-visible,textarea:focus-visible,button:focus-visible{outline:3px solid #1a5fd0;
outline-offset:2px}
input[type=text],input[type=number],input[type=date],textarea{width:100%;font:inherit;padding:.55rem .65rem;
margin-top:.3rem;border:1px solid #8a939c;border-radius:.5rem;background:#fff;color:inherit}
textarea{min-height:6rem}
button{font:inherit;font-weight:600;margin-top:1.4rem;padding:.7rem 1.4rem;border:0;border-radius:.5rem;
background:#1a5fd0;color:#fff;cursor:pointer;min-height:2.75rem}
.wrong{border-left:.3rem solid #b3261e;padding:.4rem .75rem;background:#fdeceb;color:#7a1510}
pre{white-space:pre-wrap;background:#fff;border:1px solid #c5cbd1;border-radius:.5rem;padding:.75rem;margin:.75rem 0}
@media(prefers-color-scheme:dark){body{background:#15181b;color:#e8eaed}.quiet{color:#a7b0b8}
.choice,pre,input[type=text],input[type=number],input[type=date],textarea{background:#1f2428;border-color:#7d868f}
button{background:#8ab4f8;color:#10151a}.wrong{background:#3a1816;color:#f6c7c3}}
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""What every answer by a link has. The page holds the token in its address, so it must not be stored or referred to."""


def question(name: str, execution_id: str, expires: str, form: Form, sent: Mapping[str, str], wrong: str = "") -> str:
    """The page that asks for an answer. sent: what was filled in before, when something of it was wrong."""
    return _page(
        f"Answer: {name}",
        _about(name, form.about)
        + _wrong(wrong)
        + f'<form method="post">{"".join(_field(field, sent) for field in form.fields)}'
        + '<button type="submit">Send the answer</button></form>'
        + _place(execution_id, expires),
    )


def confirmation(name: str, execution_id: str, expires: str, about: str, answer: Any) -> str:
    """The page that asks whether to give the one answer of a narrowed link."""
    return _page(
        f"Confirm: {name}",
        _about(name, about)
        + "<p>Your answer is:</p>"
        + f"<pre>{escape(_shown(answer))}</pre>"
        + '<form method="post"><input type="hidden" name="confirm" value="yes">'
        + '<button type="submit">Yes, send this answer</button></form>'
        + _place(execution_id, expires),
    )


def notice(title: str, text: str) -> str:
    """A page that tells how it stands, and asks nothing."""
    return _page(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>")


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>{body}</main></body></html>"
    )


def _about(name: str, about: str) -> str:
    first, _, rest = about.strip().partition("\n")
    heading = first or f"An answer is needed: {name}"
    return f"<h1>{escape(heading)}</h1>" + (f"<p>{escape(rest.strip())}</p>" if rest.strip() else "")


def _place(execution_id: str, expires: str) -> str:
    until = f"This link is open until {escape(expires)}, and works once."
    return f'<p class="quiet">Execution {escape(execution_id)}. {until}</p>'


def _wrong(text: str) -> str:
    return f'<p class="wrong" role="alert">{escape(text)}</p>' if text else ""


def _field(field: FormField, sent: Mapping[str, str]) -> str:
    name, value = escape(field.name), sent.get(field.name)
    help_id = f"{field.name}-help"
    helped = f' aria-describedby="{escape(help_id)}"' if field.help else ""
    text = f'<p class="quiet" id="{escape(help_id)}">{escape(field.help)}</p>' if field.help else ""
    must = "" if field.optional or field.nullable else " required"
    if field.kind == "choice":
        if value is None and field.default is not None:
            value = next((str(at) for at, (_, of) in enumerate(field.choices) if of == field.default), None)
        choices = "".join(
            f'<label class="choice"><input type="radio" name="{name}" value="{at}"{must}'
            f"{' checked' if value == str(at) else ''}><span>{escape(label)}</span></label>"
            for at, (label, _) in enumerate(field.choices)
        )
        return f"<fieldset{helped}><legend>{escape(field.label)}</legend>{text}{choices}</fieldset>"
    shown = value if value is not None else "" if field.default is None else _shown(field.default)
    longest = f' maxlength="{field.longest}"' if field.longest else ""
    common = f'id="{name}" name="{name}"{longest}{helped}'
    if field.kind in ("long", "json"):
        control = f"<textarea {common}{must}>{escape(shown)}</textarea>"
    else:
        kinds = {"number": 'type="number" step="any"', "whole": 'type="number" step="1"', "date": 'type="date"'}
        kind = kinds.get(field.kind, 'type="text"')
        # An empty text is a text: it is not asked for.
        needed = "" if field.kind == "text" else must
        control = f'<input {kind} {common}{needed} value="{escape(shown)}">'
    label = escape(field.label) + (" (JSON)" if field.kind == "json" else "")
    return f'<div class="field"><label class="of" for="{name}">{label}</label>{text}{control}</div>'


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
