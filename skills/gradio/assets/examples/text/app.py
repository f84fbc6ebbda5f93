"""Text in, text out, as it is written: for completion, summarization and translation models."""

import os
from collections.abc import Iterator
from threading import Event, Thread

import gradio as gr
import spaces  # before torch: on ZeroGPU it stands in for CUDA until a GPU is lent, elsewhere it does nothing
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, TextIteratorStreamer

MODEL_ID = os.environ.get("MODEL_ID", "HuggingFaceTB/SmolLM2-135M")

device = "cuda" if torch.cuda.is_available() else "cpu"
dtype = torch.bfloat16 if device == "cuda" else torch.float32
rewrites = AutoConfig.from_pretrained(MODEL_ID).is_encoder_decoder  # else it continues what it is given
tokenizer = AutoTokenizer.from_pretrained(MODEL_ID)
loader = AutoModelForSeq2SeqLM if rewrites else AutoModelForCausalLM
model = loader.from_pretrained(MODEL_ID, dtype=dtype).to(device).eval()


def stream(model, inputs, max_new_tokens: int, temperature: float) -> Iterator[str]:
    """The answer so far, again and again; generation ends when the caller stops listening."""
    stopped, errors = Event(), []
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}

    def generate() -> None:
        try:
            model.generate(
                **inputs,
                **sampling,
                max_new_tokens=max_new_tokens,
                streamer=streamer,
                stopping_criteria=[
                    lambda ids, scores, **_: torch.full((ids.shape[0],), stopped.is_set(), device=ids.device)
                ],
            )
        except Exception as error:  # shown by the thread that listens
            errors.append(error)
            streamer.end()

    worker = Thread(target=generate)
    worker.start()
    text = ""
    try:
        for part in streamer:
            text += part
            yield text
    finally:
        stopped.set()
        worker.join()
    if errors:
        raise gr.Error(f"The model could not answer: {errors[0]}")


@spaces.GPU(duration=60)
def write(text: str, max_new_tokens: int = 128, temperature: float = 0.0):
    """Continue a text, or rewrite it where the model was made for that."""
    if not text.strip():
        raise gr.Error("Write something first.", print_exception=False)
    limit = min(tokenizer.model_max_length, 4096) - (0 if rewrites else max_new_tokens)
    inputs = tokenizer(text, return_tensors="pt", truncation=True, max_length=limit).to(model.device)
    inputs.pop("token_type_ids", None)
    yield from stream(model, inputs, max_new_tokens, temperature)


with gr.Blocks(title=MODEL_ID) as demo:
    gr.Markdown(f"# {MODEL_ID.rstrip('/').rpartition('/')[2]}")
    with gr.Row():
        with gr.Column():
            source = gr.Textbox(label="Text", lines=8, max_length=20_000, placeholder="Paste or write a text")
            with gr.Row():
                stop = gr.Button("Stop", min_width=100)
                go = gr.Button("Write", variant="primary", min_width=100)
            with gr.Accordion("Settings", open=False):
                length = gr.Slider(16, 1024, value=128, step=16, label="Longest answer, in tokens")
                temperature = gr.Slider(0, 1.5, value=0, step=0.1, label="Temperature")
        result = gr.Textbox(label="Result", lines=12, buttons=["copy"])
    gr.Examples([["The most useful thing about a small language model is"]], inputs=source)
    writing = gr.on(
        [go.click, source.submit],
        write,
        [source, length, temperature],
        result,
        concurrency_limit=1,
        api_name="write",
    )
    stop.click(None, cancels=writing, api_visibility="private")

if __name__ == "__main__":
    demo.queue(max_size=20).launch()
