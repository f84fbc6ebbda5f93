"""One base model and several LoRA adapters, switched at each request, with the base itself to compare."""

import contextlib
import os
from collections.abc import Iterator
from threading import Event, Thread

import gradio as gr
import spaces  # before torch: on ZeroGPU it stands in for CUDA until a GPU is lent, elsewhere it does nothing
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, TextIteratorStreamer

BASE_ID = os.environ.get("BASE_ID", "HuggingFaceTB/SmolLM2-135M-Instruct")
ADAPTERS = os.environ.get("ADAPTERS", "").split()  # ids or folders; their last part is the name that is shown
NONE = "none (base model)"

device = "cuda" if torch.cuda.is_available() else "cpu"
dtype = torch.bfloat16 if device == "cuda" else torch.float32
tokenizer = AutoTokenizer.from_pretrained(BASE_ID)
model = AutoModelForCausalLM.from_pretrained(BASE_ID, dtype=dtype).to(device).eval()
names = []
for adapter_id in ADAPTERS:
    names.append(adapter_id.rstrip("/").rpartition("/")[2].replace(".", "-"))  # PEFT's names hold no dots
    if len(names) == 1:
        model = PeftModel.from_pretrained(model, adapter_id, adapter_name=names[0])
    else:
        model.load_adapter(adapter_id, adapter_name=names[-1])


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
def answer(prompt: str, adapter: str, max_new_tokens: int = 128, temperature: float = 0.0):
    """Answer a prompt with one of the adapters, or with the base model alone."""
    if not prompt.strip():
        raise gr.Error("Write a prompt first.", print_exception=False)
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, return_dict=True, return_tensors="pt"
    ).to(device)
    without = contextlib.nullcontext()
    if adapter in names:
        model.set_adapter(adapter)
    elif names:
        without = model.disable_adapter()
    with without:
        yield from stream(model, inputs, max_new_tokens, temperature)


with gr.Blocks(title="LoRA adapters") as demo:
    gr.Markdown(f"# One base, {len(names)} adapters\nThe base is `{BASE_ID}`; an adapter changes it for one answer.")
    with gr.Row():
        with gr.Column():
            adapter = gr.Radio([*names, NONE], value=(names or [NONE])[0], label="Adapter")
            prompt = gr.Textbox(label="Prompt", lines=4, max_length=4000)
            with gr.Accordion("Settings", open=False):
                length = gr.Slider(16, 1024, value=128, step=16, label="Longest answer, in tokens")
                temperature = gr.Slider(0, 1.5, value=0, step=0.1, label="Temperature")
            go = gr.Button("Answer", variant="primary")
        result = gr.Textbox(label="Answer", lines=12, buttons=["copy"])
    gr.Examples(["Explain LoRA to a colleague.", "What is a learning rate?"], inputs=prompt)
    # The active adapter is a property of the one model: two requests at once would switch it under each other.
    gr.on(
        [go.click, prompt.submit],
        answer,
        [prompt, adapter, length, temperature],
        result,
        concurrency_limit=1,
        api_name="answer",
    )

if __name__ == "__main__":
    demo.queue(max_size=20).launch()
