"""Several pages under one address, and results that a browser keeps between them."""

import re
from datetime import datetime, timezone

import gradio as gr

WORDS_A_MINUTE = 230
STORE = "prompt-checks"  # the name under which each visitor's browser keeps the list


def measure(text: str, checks: list[list]) -> tuple[str, list[list], str]:
    """Words, sentences and reading time of a prompt, and the list of checks with this one in front."""
    if not text.strip():
        raise gr.Error("Write a prompt first.", print_exception=False)
    words = re.findall(r"[\w'’-]+", text)
    sentences = [part for part in re.split(r"[.!?]+", text) if part.strip()]
    row = [
        datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M"),
        text[:60],
        len(words),
        round(len(words) / max(1, len(sentences)), 1),
    ]
    told = f"**{row[2]}** words, **{row[3]}** a sentence, read in {60 * row[2] / WORDS_A_MINUTE:.0f} seconds"
    return told, [row, *checks][:50], ""


with gr.Blocks(title="Prompt checker") as demo:
    gr.Navbar(main_page_name="Check")
    gr.Markdown("# Check a prompt\nLong sentences are what readers stumble on; aim for fewer than 20 words in each.")
    checks = gr.BrowserState([], storage_key=STORE, secret=STORE)  # a fixed secret, or a restart empties the list
    prompt = gr.Textbox(label="Prompt", lines=6, max_length=20_000)
    go = gr.Button("Check", variant="primary")
    told = gr.Markdown()
    go.click(measure, [prompt, checks], [told, checks, prompt], api_visibility="private")

with demo.route("History", "/history"):
    gr.Markdown("# What you checked\nKept in your browser, not on the server.")
    kept = gr.BrowserState([], storage_key=STORE, secret=STORE)
    table = gr.Dataframe(
        headers=["When (UTC)", "Prompt", "Words", "Words a sentence"], interactive=False, wrap=True, label="Checks"
    )
    forget = gr.Button("Forget all")
    demo.load(lambda rows: rows, kept, table, api_visibility="private")
    forget.click(lambda: ([], []), None, [kept, table], api_visibility="private")

with demo.route("About", "/about"):
    gr.Markdown("# About\nA page is a route: it has its own address, its own components and its own events.")

if __name__ == "__main__":
    demo.launch()
