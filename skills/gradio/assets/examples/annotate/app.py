"""Collect preferences: which of two answers is better, as rows that DPO training reads."""

import json
import os
import random
import tempfile
from pathlib import Path

import gradio as gr

PAIRS = Path(os.environ.get("PAIRS", Path(__file__).parent / "pairs.jsonl"))
#: A folder that survives a restart (a mounted bucket); without it the rows live as long as the visitor's page.
KEEP = os.environ.get("KEEP")

pairs = [json.loads(line) for line in PAIRS.read_text("utf-8").splitlines() if line.strip()]


def begin() -> dict:
    """A visitor's work: the pairs in an order of their own, where they are, and what they chose."""
    return {
        "order": random.sample(range(len(pairs)), len(pairs)),
        "swaps": [random.random() < 0.5 for _ in pairs],
        "rows": [],
        "at": 0,
    }


def show(work: dict):
    """The next pair, with its sides shuffled so that a habit of choosing the left one does not count."""
    if work["at"] >= len(pairs):
        return "", "", "", gr.Column(visible=False), "All pairs are judged. Thank you."
    pair = pairs[work["order"][work["at"]]]
    answers = [pair["a"], pair["b"]]
    if work["swaps"][work["at"]]:
        answers.reverse()
    return pair["prompt"], *answers, gr.Column(visible=True), f"Pair {work['at'] + 1} of {len(pairs)}"


def judge(choice: str, work: dict, request: gr.Request):
    """Keeps a judgement and shows the next pair; a skipped pair leaves no row."""
    if work["at"] >= len(pairs):
        return work, *show(work)
    prompt, first, second, *_ = show(work)
    work = {**work, "at": work["at"] + 1}
    if choice != "Skip":
        chosen, rejected = (first, second) if choice == "1 is better" else (second, first)
        row = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
        work["rows"] = [*work["rows"], row]
        if KEEP:
            with (Path(KEEP) / f"{request.session_hash}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return work, *show(work)


def export(work: dict) -> str:
    """This visitor's rows as a file."""
    path = Path(tempfile.mkdtemp()) / "preferences.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in work["rows"]), encoding="utf-8")
    return str(path)


with gr.Blocks(title="Which answer is better?", delete_cache=(600, 3600)) as demo:
    gr.Markdown("# Which answer is better?")
    work = gr.State(begin, time_to_live=24 * 3600)  # a function: each visitor gets a fresh one
    place = gr.Markdown()
    with gr.Column() as judging:
        prompt = gr.Textbox(label="Prompt", interactive=False, lines=2)
        with gr.Row():
            first = gr.Textbox(label="Answer 1", interactive=False, lines=6, min_width=280)
            second = gr.Textbox(label="Answer 2", interactive=False, lines=6, min_width=280)
        with gr.Row():
            buttons = [
                gr.Button("1 is better", variant="primary", min_width=100),
                gr.Button("Skip", min_width=100),
                gr.Button("2 is better", variant="primary", min_width=100),
            ]
    download = gr.DownloadButton("Download my judgements", size="sm")
    shown = [prompt, first, second, judging, place]
    demo.load(show, work, shown, api_visibility="private")
    for button in buttons:
        button.click(judge, [button, work], [work, *shown], api_visibility="private").then(
            export, work, download, api_visibility="private"
        )

# Gradio greys what cannot be edited; here it is what has to be read.
CSS = "textarea:disabled { opacity: 1; color: var(--body-text-color); -webkit-text-fill-color: currentColor; }"

if __name__ == "__main__":
    demo.launch(css=CSS)
