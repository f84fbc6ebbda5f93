"""A tuned model beside its base: one prompt, the same settings, sides shuffled, and a count of what readers prefer."""

import itertools
import os
import random
from collections.abc import Iterator
from threading import Event, Thread

import gradio as gr
import spaces  # before torch: on ZeroGPU it stands in for CUDA until a GPU is lent, elsewhere it does nothing
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TextIteratorStreamer

BASE_ID = os.environ.get("BASE_ID", "HuggingFaceTB/SmolLM2-135M")
TUNED_ID = os.environ.get("TUNED_ID", "HuggingFaceTB/SmolLM2-135M-Instruct")  # a whole model, or a LoRA adapter

device = "cuda" if torch.cuda.is_available() else "cpu"
dtype = torch.bfloat16 if device == "cuda" else torch.float32
tokenizer = AutoTokenizer.from_pretrained(TUNED_ID)  # for both: a base often has no chat template
models = {
    name: AutoModelForCausalLM.from_pretrained(model_id, dtype=dtype).to(device).eval()
    for name, model_id in (("base", BASE_ID), ("tuned", TUNED_ID))
}


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


@spaces.GPU(duration=120)
def answer_both(prompt: str, max_new_tokens: int, temperature: float, order: list[str]):
    """Both answers, growing side by side; `order` says which model is on the left."""
    if not prompt.strip():
        raise gr.Error("Write a prompt first.", print_exception=False)
    inputs = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, return_dict=True, return_tensors="pt"
    ).to(device)
    sides = [stream(models[name], inputs, max_new_tokens, temperature) for name in order]
    left = right = ""
    for a, b in itertools.zip_longest(*sides):
        left, right = a or left, b or right
        yield left, right


def shuffle():
    """A new order for a new prompt, hidden until the vote."""
    order = random.sample(["base", "tuned"], 2)
    names = [gr.Textbox(label="Answer 1"), gr.Textbox(label="Answer 2")]
    return order, *names, gr.Row(visible=False)


def vote(choice: str, order: list[str], tally: dict[str, int]):
    """Counts a vote and shows which model was which."""
    winner = {"1 is better": order[0], "2 is better": order[1]}.get(choice, "tie")
    tally = {**tally, winner: tally[winner] + 1}
    said = f"You chose **{winner}**. So far: tuned {tally['tuned']}, base {tally['base']}, ties {tally['tie']}."
    shown = [gr.Textbox(label=f"Answer {n + 1}: {name}") for n, name in enumerate(order)]
    return tally, said, *shown, gr.Row(visible=False)


with gr.Blocks(title="Base and tuned") as demo:
    gr.Markdown("# Which answer is better?\nOne is by the base model, one by the tuned model; the vote shows which.")
    order, tally = gr.State(["base", "tuned"]), gr.State({"base": 0, "tuned": 0, "tie": 0})
    prompt = gr.Textbox(label="Prompt", lines=2, max_length=4000, submit_btn="Ask both")
    gr.Examples(["Explain LoRA to a colleague.", "Write a polite refusal to an invitation."], inputs=prompt)
    with gr.Row():
        left = gr.Textbox(label="Answer 1", lines=10, min_width=280, buttons=["copy"])
        right = gr.Textbox(label="Answer 2", lines=10, min_width=280, buttons=["copy"])
    with gr.Row(visible=False) as votes:
        buttons = [gr.Button(text, min_width=100) for text in ("1 is better", "Tie", "2 is better")]
    said = gr.Markdown()
    with gr.Accordion("Settings", open=False):
        length = gr.Slider(16, 512, value=128, step=16, label="Longest answer, in tokens")
        temperature = gr.Slider(0, 1.5, value=0, step=0.1, label="Temperature", info="0 compares without chance")
    gr.Markdown(f"Base: `{BASE_ID}`. Tuned: `{TUNED_ID}`.")

    prompt.submit(shuffle, None, [order, left, right, votes], api_visibility="private").then(
        answer_both, [prompt, length, temperature, order], [left, right], concurrency_limit=1, api_visibility="private"
    ).success(lambda: gr.Row(visible=True), None, votes, api_visibility="private")
    for button in buttons:
        button.click(vote, [button, order, tally], [tally, said, left, right, votes], api_visibility="private")

if __name__ == "__main__":
    demo.queue(max_size=20).launch()
