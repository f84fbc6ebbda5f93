"""Which label a text gets, and how sure the model is."""

import os

import gradio as gr
import spaces  # before torch: on ZeroGPU it stands in for CUDA until a GPU is lent, elsewhere it does nothing
import torch
from transformers import pipeline

MODEL_ID = os.environ.get("MODEL_ID", "distilbert/distilbert-base-uncased-finetuned-sst-2-english")

classifier = pipeline("text-classification", MODEL_ID, top_k=None, device=0 if torch.cuda.is_available() else -1)


@spaces.GPU(duration=10)
def classify(text: str) -> dict[str, float]:
    """The probability of each label for a text.

    Args:
        text: What to classify; what is longer than the model's context is cut.
    """
    if not text.strip():
        raise gr.Error("Write something first.", print_exception=False)
    return {each["label"]: each["score"] for each in classifier([text], truncation=True)[0]}


with gr.Blocks(title=MODEL_ID) as demo:
    gr.Markdown(f"# {MODEL_ID.rstrip('/').rpartition('/')[2]}\nThe bar is the model's own probability, not a hit rate.")
    with gr.Row():
        with gr.Column():
            text = gr.Textbox(label="Text", lines=5, max_length=20_000, placeholder="What shall be classified?")
            go = gr.Button("Classify", variant="primary")
            gr.Examples(
                ["I would buy this again without thinking twice.", "The battery died on the second day."], inputs=text
            )
        label = gr.Label(label="Label", num_top_classes=5)
    gr.on([go.click, text.submit], classify, text, label, api_name="classify")

if __name__ == "__main__":
    demo.queue(max_size=50).launch()
