"""Long work that shows how far it is, gives results on the way, can be stopped, and waits its turn."""

import time

import gradio as gr
import numpy as np
import pandas as pd

CHUNKS, CHUNK = 40, 200_000


def estimate(seed: int, seconds: float = 0.05, progress: gr.Progress = gr.Progress()):
    """Estimates pi by random points, and shows the estimate after each portion of them.

    Args:
        seed: The same seed gives the same points.
        seconds: What a portion takes at least; real work is slow by itself.
    """
    random, inside, rows = np.random.default_rng(int(seed)), 0, []
    for chunk in range(1, CHUNKS + 1):
        progress((chunk, CHUNKS), desc="Drawing points")
        inside += int(((random.random((CHUNK, 2)) ** 2).sum(axis=1) <= 1).sum())
        rows.append({"points": chunk * CHUNK, "estimate": 4 * inside / (chunk * CHUNK)})
        time.sleep(seconds)
        yield pd.DataFrame(rows), f"π ≈ **{rows[-1]['estimate']:.5f}** after {rows[-1]['points']:,} points"


with gr.Blocks(title="A long computation") as demo:
    gr.Markdown("# Estimate π\nTwo visitors compute at a time, twenty may wait, and the others are told to come back.")
    with gr.Row():
        with gr.Column(scale=1):
            seed = gr.Number(7, label="Seed", precision=0, minimum=0)
            pace = gr.Slider(0, 0.5, value=0.05, step=0.01, label="Seconds for a portion")
            with gr.Row():
                stop = gr.Button("Stop", min_width=100)
                go = gr.Button("Start", variant="primary", min_width=100)
            said = gr.Markdown("Nothing computed yet.")
            status = gr.Markdown()  # of its own: a last result may arrive after the stop, and would overwrite it
        with gr.Column(scale=2):
            plot = gr.LinePlot(x="points", y="estimate", y_lim=[3.13, 3.15], height=320, label="Estimate")
    # The listeners of one click run one after another: what shall be seen at once comes before the long one.
    go.click(None, None, status, js="() => ''")
    work = go.click(
        estimate,
        [seed, pace],
        [plot, said],
        concurrency_limit=2,  # per event; the default is 1
        concurrency_id="compute",  # events with the same id share the limit
        trigger_mode="once",  # a second click while it runs does nothing
        api_name="estimate",
    )
    # A stop counts as a failure. "Stopped." follows the work and not the button's click: only then is Start free again.
    work.success(None, None, status, js="() => 'Done.'")
    work.failure(None, None, status, js="() => 'Stopped.'")
    stop.click(None, cancels=work)

if __name__ == "__main__":
    demo.queue(max_size=20).launch(max_threads=10)
