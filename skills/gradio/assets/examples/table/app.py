"""Score every row of a table with a model, see how far it is, and download the result."""

import os
import tempfile
from pathlib import Path

import gradio as gr
import pandas as pd
import spaces  # before torch: on ZeroGPU it stands in for CUDA until a GPU is lent, elsewhere it does nothing
import torch
from transformers import pipeline

MODEL_ID = os.environ.get("MODEL_ID", "distilbert/distilbert-base-uncased-finetuned-sst-2-english")
MOST_ROWS, BATCH = 1000, 16
SAMPLE = pd.DataFrame(
    {"id": [1, 2, 3], "review": ["Arrived early, works well.", "It broke within a week.", "Does what it says."]}
)

classifier = pipeline("text-classification", MODEL_ID, device=0 if torch.cuda.is_available() else -1)


def read(path: str | None):
    """The table of an uploaded file, and which of its columns can be chosen."""
    if path is None:
        return SAMPLE, gr.Dropdown(choices=list(SAMPLE.columns), value="review")
    try:
        table = pd.read_csv(path, nrows=MOST_ROWS + 1)
    except (ValueError, UnicodeDecodeError) as error:
        raise gr.Error(f"This is not a CSV file in UTF-8: {error}", print_exception=False) from None
    if len(table) > MOST_ROWS:
        gr.Warning(f"Only the first {MOST_ROWS:,} rows are used.")
    text = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    return table.head(MOST_ROWS), gr.Dropdown(choices=list(table.columns), value=(text or list(table.columns))[0])


@spaces.GPU(duration=120)
def score(table: pd.DataFrame, column: str, progress: gr.Progress = gr.Progress()):
    """The table with a label and its probability for each row, and the same as a file."""
    if column not in table.columns:
        raise gr.Error(f"The table has no column {column!r}.", print_exception=False)
    texts = [str(value) for value in table[column].fillna("")]
    found = []
    for start in progress.tqdm(range(0, len(texts), BATCH), desc="Scoring"):
        found += classifier(texts[start : start + BATCH], truncation=True)
    scored = table.assign(label=[each["label"] for each in found], score=[round(each["score"], 4) for each in found])
    path = Path(tempfile.mkdtemp()) / "scored.csv"  # Gradio copies it into its cache, whence it is served
    scored.to_csv(path, index=False)
    return scored, gr.DownloadButton(value=str(path), interactive=True)


with gr.Blocks(title=MODEL_ID, delete_cache=(600, 3600)) as demo:
    gr.Markdown(f"# Score a table with {MODEL_ID.rstrip('/').rpartition('/')[2]}")
    with gr.Row():
        with gr.Column(scale=1):
            file = gr.File(label="CSV file", file_types=[".csv"], height=140)
            column = gr.Dropdown(
                ["id", "review"], value="review", label="Column with the text", allow_custom_value=True
            )
            go = gr.Button("Score", variant="primary")
            download = gr.DownloadButton("Download as CSV", interactive=False)
        with gr.Column(scale=2):
            table = gr.Dataframe(SAMPLE, label="Rows", interactive=True, wrap=True)
            result = gr.Dataframe(label="Result", interactive=False, wrap=True)
    file.change(read, file, [table, column], api_visibility="private")
    go.click(score, [table, column], [result, download], concurrency_limit=1, api_name="score")

if __name__ == "__main__":
    demo.queue(max_size=20).launch(max_file_size="5mb")
