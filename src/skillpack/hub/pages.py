"""HTML of the web pages: templates, and the one way to fill them, which escapes what it is given."""

from __future__ import annotations

import html as html_module
from collections.abc import Iterable


class Html(str):
    """Text that is HTML already; `html` escapes everything else."""


def html(template: str, **values: object) -> Html:
    """`template` with each {name} replaced by its value, escaped unless it is Html."""
    shown = {
        name: value if isinstance(value, Html) else html_module.escape(str(value), quote=True)
        for name, value in values.items()
    }
    return Html(template.format_map(shown))


def join(parts: Iterable[Html]) -> Html:
    return Html("".join(parts))


def link(url: str, text: object) -> Html:
    """A link; `url` must start with / or be http(s), anything else becomes plain text."""
    if not url.startswith(("/", "http://", "https://")) or url.startswith("//"):
        return html("{text}", text=text)
    return html('<a href="{url}">{text}</a>', url=url, text=text)


def table(headings: Iterable[str], rows: Iterable[Iterable[object]], empty: str) -> Html:
    body = join(html("<tr>{cells}</tr>", cells=join(html("<td>{c}</td>", c=c) for c in row)) for row in rows)
    if not body:
        return html('<p class="empty">{empty}</p>', empty=empty)
    head = join(html("<th>{h}</th>", h=heading) for heading in headings)
    return html(
        '<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>',
        head=head,
        body=body,
    )


def section(title: str, body: Html, note: str = "") -> Html:
    extra = html('<span class="note">{note}</span>', note=note) if note else Html("")
    return html("<section><h2>{title}{extra}</h2>{body}</section>", title=title, extra=extra, body=body)


def badge(stage: str) -> Html:
    return html('<span class="badge {low}" data-stage="{stage}">{stage}</span>', low=stage.lower(), stage=stage)


def page(title: str, body: Html, user: str | None, refresh_s: int = 0, script: bool = False) -> Html:
    who = (
        html('{name} · <a href="/logout">sign out</a>', name=user)
        if user
        else Html('<a href="/login">sign in</a> to see jobs and private repos')
    )
    return html(
        PAGE,
        title=title,
        refresh=html('<meta http-equiv="refresh" content="{s}">', s=refresh_s) if refresh_s else Html(""),
        script=Html('<script src="/local/page.js" defer></script>') if script else Html(""),
        who=who,
        body=body,
    )


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · local Hub</title>{refresh}
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/local/style.css">{script}
</head>
<body>
<header><a class="home" href="/">Local Hub</a><span class="what">a rehearsal on this machine, not the real
service</span><span class="who">{who}</span></header>
<main>{body}</main>
</body>
</html>
"""

LOGIN = """<section class="narrow"><h2>Sign in</h2>
<p>Paste a token of this local Hub. It is the value of <code>HF_TOKEN</code> that <code>skillpack hub</code> printed.
The session can read what the token's owner can read, and change nothing.</p>
<form method="post" action="/login"><input type="hidden" name="next" value="{next}">
<label>Token <input type="password" name="token" autocomplete="off" required></label>
<button>Sign in</button></form>{error}</section>"""

JOB = """<p class="crumbs"><a href="/">Home</a> / jobs / {owner} / {id}</p>
<h1>{name} <span id="stage">{badge}</span></h1>
<p id="message" class="message">{message}</p>
<dl class="facts">
<div><dt>Flavor</dt><dd>{flavor}</dd></div>
<div><dt>Running</dt><dd id="running">{running}</dd></div>
<div><dt>Cost there would be</dt><dd id="cost">{cost}</dd></div>
<div><dt>Attempt</dt><dd id="attempt">{attempt}</dd></div>
<div><dt>Created</dt><dd>{created}</dd></div>
<div><dt>Started by</dt><dd>{initiator}</dd></div>
<div><dt>Timeout</dt><dd>{timeout}</dd></div>
<div><dt>Image (recorded, not used)</dt><dd>{image}</dd></div>
</dl>
<h2>Log <span class="note" id="live">{live}</span></h2>
<pre id="log" class="log" data-events="{events}">{log}</pre>
<h2>Command</h2><pre class="command">{command}</pre>
{details}"""

STYLE = """
:root { --ink: #1d2433; --soft: #5b6577; --line: #dfe3ea; --back: #f6f7f9; --card: #fff; --link: #1a56b8; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--back); font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
a { color: var(--link); text-decoration: none; } a:hover { text-decoration: underline; }
header { display: flex; gap: 1rem; align-items: baseline; flex-wrap: wrap; padding: .7rem 1.5rem;
  background: var(--card); border-bottom: 1px solid var(--line); }
.home { font-weight: 700; font-size: 1.1rem; color: var(--ink); }
.what, .note, .empty, .crumbs { color: var(--soft); font-size: .85rem; }
.who { margin-left: auto; font-size: .85rem; }
main { max-width: 74rem; margin: 0 auto; padding: 1rem 1.5rem 3rem; }
h1 { font-size: 1.4rem; margin: .4rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 1.3rem 0 .5rem; }
h2 .note { margin-left: .7rem; font-weight: 400; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .2rem 1.1rem 1rem;
  margin: 1rem 0; }
section.narrow { max-width: 34rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; color: var(--soft); font-weight: 600; font-size: .8rem; }
th, td { padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; }
code, pre { font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; margin: 0;
  overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
pre.log { background: #171c26; color: #e4e8ef; border-color: #171c26; color-scheme: dark;
  max-height: 34rem; min-height: 6rem; }
.badge { display: inline-block; border-radius: 999px; padding: 0 .6rem; font-size: .75rem; font-weight: 600;
  background: #e7e9ee; color: #444c5c; white-space: nowrap; vertical-align: middle; }
.badge.completed { background: #d9f2e1; color: #17633a; } .badge.running { background: #dbe8fd; color: #1a4fa3; }
.badge.error { background: #fbe0de; color: #99241b; } .badge.scheduling { background: #fdf0d3; color: #7b5608; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .7rem; margin: 1rem 0; }
.facts div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .5rem .8rem; }
dt { color: var(--soft); font-size: .78rem; } dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.message { color: #99241b; margin: .2rem 0; } .message:empty { display: none; }
input[type=password] { font: inherit; padding: .3rem .5rem; width: 16rem; }
button { font: inherit; padding: .3rem 1rem; }
.error { color: #99241b; }
"""

SCRIPT = """
const log = document.getElementById("log");
if (log && log.dataset.events) {
  const source = new EventSource(log.dataset.events);
  const set = (id, text) => { document.getElementById(id).textContent = text; };
  source.onmessage = event => {
    const follow = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
    log.append(JSON.parse(event.data).data + "\\n");
    if (follow) log.scrollTop = log.scrollHeight;
  };
  source.addEventListener("state", event => {
    const state = JSON.parse(event.data);
    for (const name of ["running", "cost", "attempt", "message"]) set(name, state[name]);
    const badge = document.querySelector("#stage .badge");
    badge.textContent = badge.dataset.stage = state.stage;
    badge.className = "badge " + state.stage.toLowerCase();
    if (state.ended) { source.close(); set("live", "ended"); }
  });
  log.scrollTop = log.scrollHeight;
}
"""
