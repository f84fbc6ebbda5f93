"""Speech to text, from the microphone or a file."""

import os
from pathlib import Path

import gradio as gr
import numpy as np
import spaces  # before torch: on ZeroGPU it stands in for CUDA until a GPU is lent, elsewhere it does nothing
import torch
from scipy.signal import resample_poly
from transformers import pipeline

MODEL_ID = os.environ.get("MODEL_ID", "openai/whisper-tiny")
EXAMPLES = sorted(str(path) for path in (Path(__file__).parent / "examples").glob("*.wav"))
LONGEST = 120  # seconds

recognizer = pipeline(
    "automatic-speech-recognition", MODEL_ID, chunk_length_s=30, device=0 if torch.cuda.is_available() else -1
)
RATE = recognizer.feature_extractor.sampling_rate


def waveform(recording: tuple[int, np.ndarray]) -> np.ndarray:
    """Mono float32 at the model's rate, from what Gradio gives: (rate, int16 of shape [samples] or [samples, 2])."""
    rate, samples = recording
    samples = samples.astype(np.float32) / np.iinfo(samples.dtype).max
    if samples.ndim == 2:
        samples = samples.mean(axis=1)
    return resample_poly(samples, RATE, rate).astype(np.float32) if rate != RATE else samples


@spaces.GPU(duration=60)
def transcribe(recording: tuple[int, np.ndarray] | None) -> str:
    """What is said in a recording of up to two minutes."""
    if recording is None:
        raise gr.Error("Record something, or choose a file, first.", print_exception=False)
    if len(recording[1]) / recording[0] > LONGEST:
        raise gr.Error(f"At most {LONGEST} seconds, please.", print_exception=False)
    return recognizer({"raw": waveform(recording), "sampling_rate": RATE})["text"].strip()


with gr.Blocks(title=MODEL_ID, delete_cache=(600, 3600)) as demo:
    gr.Markdown(f"# {MODEL_ID.rstrip('/').rpartition('/')[2]}\nRecordings are deleted from the server within the hour.")
    with gr.Row():
        with gr.Column():
            audio = gr.Audio(label="Speech", sources=["upload", "microphone"], type="numpy")
            go = gr.Button("Transcribe", variant="primary")
            if EXAMPLES:
                gr.Examples(EXAMPLES, inputs=audio)
        text = gr.Textbox(label="Text", lines=8, buttons=["copy"])
    gr.on([go.click, audio.stop_recording], transcribe, audio, text, concurrency_limit=1, api_name="transcribe")

if __name__ == "__main__":
    demo.queue(max_size=20).launch(max_file_size="25mb")
