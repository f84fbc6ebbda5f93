"""Chat with a model that writes word by word, and that stops when the reader has seen enough."""

import os
from collections.abc import Iterator
from threading import Event, Thread

import gradio as gr
import spaces  # before torch: on ZeroGPU it stands in for CUDA until a GPU is lent, elsewhere it does nothing
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TextIteratorStreamer

MODEL_ID = os.environ.get("MODEL_ID", "HuggingFaceTB/SmolLM2-135M-Instruct")
SYSTEM_PROMPT = os.environ.get("SYSTEM_PROMPT", "You are a helpful assistant.")

device = "cuda" if torch.cuda.is_available() else "cpu"
dtype = torch.bfloat16 if device == "cuda" else torch.float32
tokenizer = AutoTokenizer.from_pretrained(MODEL_ID)
model = AutoModelForCausalLM.from_pretrained(MODEL_ID, dtype=dtype).to(device).eval()


def text_of(content: str | list[dict]) -> str:
    """The text of a message: Gradio 6 hands over a list of blocks, most chat templates want a string."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def encode(messages: list[dict], room: int):
    """Token ids of the conversation; the oldest turns go when it would not fit the model's context."""
    limit = getattr(model.config, "max_position_embeddings", 4096) - room
    while True:
        inputs = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"
        )
        if inputs["input_ids"].shape[1] <= limit or len(messages) <= 2:
            return inputs.to(model.device)
        del messages[1:3]  # the question and answer after the system prompt


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
def answer(message: str, history: list[dict], system_prompt: str, max_new_tokens: int, temperature: float):
    messages = [{"role": "system", "content": system_prompt}] if system_prompt.strip() else []
    messages += [{"role": turn["role"], "content": text_of(turn["content"])} for turn in history]
    messages.append({"role": "user", "content": message})
    yield from stream(model, encode(messages, max_new_tokens), max_new_tokens, temperature)


with gr.Blocks(title=f"Chat with {MODEL_ID}", fill_height=True) as demo:
    gr.Markdown(
        f"# Chat with {MODEL_ID.rstrip('/').rpartition('/')[2]}\nIt can be wrong, and it forgets you with the page."
    )
    with gr.Sidebar(open=False):
        gr.Markdown("### Settings")
        system_prompt = gr.Textbox(SYSTEM_PROMPT, label="System prompt", lines=3)
        length = gr.Slider(16, 1024, value=256, step=16, label="Longest answer, in tokens")
        temperature = gr.Slider(0, 1.5, value=0.7, step=0.1, label="Temperature", info="0 gives the likeliest words")
    gr.ChatInterface(
        answer,
        chatbot=gr.Chatbot(
            label="Chat", scale=1, buttons=["copy", "copy_all"], placeholder="Ask something, or try an example."
        ),
        additional_inputs=[system_prompt, length, temperature],  # rendered above, so they stay in the sidebar
        examples=[["Explain LoRA to a colleague in two sentences."], ["Write a haiku about gradient descent."]],
        cache_examples=False,  # cached answers would be computed, and on a GPU paid for, at every start
        concurrency_limit=1,  # one answer at a time: they share the model's memory
        api_name="chat",
    )

if __name__ == "__main__":
    demo.queue(max_size=20).launch()
