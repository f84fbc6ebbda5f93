"""transformers against the Hub: a tiny model pushed, loaded, trained, and pushed by the Trainer."""

import os
import tempfile

import torch
from huggingface_hub import HfApi
from steps import run, step
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

api = HfApi()
NAME = f"tester/model-{os.getpid()}"
TINY = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 64}
model = LlamaForCausalLM(LlamaConfig(**TINY, max_position_embeddings=32))


@step
def a_model_is_pushed() -> None:
    model.push_to_hub(NAME, private=True)
    about = api.model_info(NAME)
    assert about.safetensors.total == sum(p.numel() for p in model.parameters())


@step
def it_loads_with_the_same_weights() -> None:
    assert AutoConfig.from_pretrained(NAME).hidden_size == 16
    loaded = AutoModelForCausalLM.from_pretrained(NAME)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name]), name


@step
def the_trainer_pushes_checkpoint_and_card() -> None:
    rows = [{"input_ids": torch.arange(8) % 64, "labels": torch.arange(8) % 64} for _ in range(8)]
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        hub_model_id=NAME + "-trained",
        push_to_hub=True,
        max_steps=2,
        per_device_train_batch_size=4,
        report_to=[],
        use_cpu=True,
        logging_steps=1,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=rows)
    trainer.train()
    trainer.push_to_hub(commit_message="Trained")
    names = set(api.list_repo_files(NAME + "-trained"))
    assert {"model.safetensors", "training_args.bin", "README.md"} <= names
    assert api.list_repo_commits(NAME + "-trained")[0].title == "Trained"


run()
