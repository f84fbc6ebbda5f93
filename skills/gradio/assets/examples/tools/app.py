"""Functions that agents call as MCP tools, and that people can try on the same page."""

import math

import gradio as gr


def training_steps(rows: int, batch_size: int = 8, epochs: float = 3, accumulation: int = 1) -> dict[str, int]:
    """How many optimizer steps a training run takes.

    Args:
        rows: Rows of the training split.
        batch_size: Rows that one device reads at a time.
        epochs: How often the whole split is read; fractions are allowed.
        accumulation: Batches that are added up before the weights move.
    """
    if rows < 1 or batch_size < 1 or accumulation < 1 or epochs <= 0:
        raise gr.Error("All numbers have to be positive.", print_exception=False)
    an_epoch = math.ceil(math.ceil(rows / batch_size) / accumulation)
    return {"steps_an_epoch": an_epoch, "steps": math.ceil(an_epoch * epochs)}


def lora_parameters(hidden_size: int, layers: int, rank: int = 16, modules: int = 4) -> int:
    """How many weights a LoRA adapter adds, where the adapted matrices are square.

    Args:
        hidden_size: Width of the model.
        layers: Number of its layers.
        rank: Rank of the adapter.
        modules: Adapted matrices in each layer.
    """
    if min(hidden_size, layers, rank, modules) < 1:
        raise gr.Error("All numbers have to be positive.", print_exception=False)
    return 2 * hidden_size * rank * modules * layers


with gr.Blocks(title="Training arithmetic") as demo:
    gr.Markdown("# Training arithmetic\nAlso an MCP server: an agent finds these functions at `/gradio_api/mcp/`.")
    with gr.Tab("Steps"):
        with gr.Row():
            steps_in = [
                gr.Number(600, label="Rows", precision=0),
                gr.Number(8, label="Batch size", precision=0),
                gr.Number(3, label="Epochs"),
                gr.Number(1, label="Accumulation", precision=0),
            ]
        compute = gr.Button("Compute steps", variant="primary")
        steps = gr.JSON(label="Steps")
        compute.click(training_steps, steps_in, steps)
    with gr.Tab("LoRA"):
        with gr.Row():
            lora_in = [
                gr.Number(2048, label="Hidden size", precision=0),
                gr.Number(24, label="Layers", precision=0),
                gr.Number(16, label="Rank", precision=0),
                gr.Number(4, label="Modules", precision=0),
            ]
        count = gr.Button("Count weights", variant="primary")
        weights = gr.Number(label="Weights added", interactive=False)
        count.click(lora_parameters, lora_in, weights)

if __name__ == "__main__":
    demo.launch(mcp_server=True)
