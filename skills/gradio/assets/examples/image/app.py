"""What a picture shows, with the probability of each label."""

import os
from pathlib import Path

import gradio as gr
import spaces  # before torch: on ZeroGPU it stands in for CUDA until a GPU is lent, elsewhere it does nothing
import torch
from PIL import Image
from transformers import pipeline

MODEL_ID = os.environ.get("MODEL_ID", "google/vit-base-patch16-224")
EXAMPLES = sorted(str(path) for path in (Path(__file__).parent / "examples").glob("*.*"))
LONGEST_SIDE = 2048  # a larger picture only costs memory: the model sees far fewer pixels

classifier = pipeline("image-classification", MODEL_ID, device=0 if torch.cuda.is_available() else -1)


@spaces.GPU(duration=10)
def classify(image: Image.Image | None) -> dict[str, float]:
    """The probability of the likeliest labels for a picture."""
    if image is None:
        raise gr.Error("Choose a picture first.", print_exception=False)
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    return {each["label"]: each["score"] for each in classifier(image, top_k=5)}


with gr.Blocks(title=MODEL_ID, delete_cache=(600, 3600)) as demo:  # every 10 minutes, files older than an hour
    gr.Markdown(f"# {MODEL_ID.rstrip('/').rpartition('/')[2]}\nPictures are deleted from the server within the hour.")
    with gr.Row():
        with gr.Column():
            image = gr.Image(label="Picture", type="pil", sources=["upload", "webcam", "clipboard"], height=320)
            go = gr.Button("Classify", variant="primary")
            if EXAMPLES:
                gr.Examples(EXAMPLES, inputs=image)
        label = gr.Label(label="Labels")
    gr.on([go.click, image.upload], classify, image, label, api_name="classify")

if __name__ == "__main__":
    demo.queue(max_size=50).launch(max_file_size="10mb")
