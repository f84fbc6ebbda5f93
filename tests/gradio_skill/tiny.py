"""Models that know nothing, in a second: one of each kind that an example app loads."""

from __future__ import annotations

import json
from pathlib import Path

from skillpack import samples


def write_models(folder: Path) -> None:
    """chat, classifier, image, speech and two LoRA adapters (formal, playful) below `folder`."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        Qwen3Config,
        Qwen3ForSequenceClassification,
        ViTConfig,
        ViTForImageClassification,
        ViTImageProcessor,
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Processor,
    )

    chat = folder / "chat"
    samples.write_tiny_model(chat, ["Hello, how are you? I am a very small model, and I know nothing at all."] * 4)
    tokenizer = AutoTokenizer.from_pretrained(chat)
    settings = json.loads((chat / "generation_config.json").read_text())
    blank = [index for index in range(len(tokenizer)) if not tokenizer.decode([index]).strip().isalpha()]
    settings["suppress_tokens"] = sorted({*tokenizer.all_special_ids, *blank})  # an answer has something to show
    (chat / "generation_config.json").write_text(json.dumps(settings))
    torch.manual_seed(1)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = Qwen3Config(
        **small, vocab_size=len(tokenizer), num_key_value_heads=2, head_dim=16, max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id, id2label={0: "negative", 1: "positive"},
        label2id={"negative": 0, "positive": 1},
    )  # fmt: skip
    Qwen3ForSequenceClassification(config).save_pretrained(folder / "classifier")
    tokenizer.model_max_length = 512
    tokenizer.save_pretrained(folder / "classifier")

    labels = dict(enumerate(("house", "tree", "cat", "car", "boat", "cloud")))
    vision = ViTConfig(**small, image_size=32, patch_size=8, id2label=labels)
    ViTForImageClassification(vision).save_pretrained(folder / "image")
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder / "image")

    speech = folder / "speech"
    speech.mkdir()
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ETAOINSHRDLU"]
    (speech / "vocab.json").write_text(json.dumps({letter: index for index, letter in enumerate(letters)}))
    processor = Wav2Vec2Processor(
        feature_extractor=Wav2Vec2FeatureExtractor(sampling_rate=16000),
        tokenizer=Wav2Vec2CTCTokenizer(str(speech / "vocab.json")),
    )
    processor.save_pretrained(speech)
    heard = Wav2Vec2Config(
        **small, vocab_size=len(letters), conv_dim=(16, 16), conv_kernel=(10, 3), conv_stride=(160, 2),
        num_feat_extract_layers=2, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    recognizer = Wav2Vec2ForCTC(heard)
    with torch.no_grad():
        recognizer.lm_head.bias[letters.index("S")] = 100.0  # it hears an S in everything
    recognizer.save_pretrained(speech)

    for name in ("formal", "playful"):
        base = AutoModelForCausalLM.from_pretrained(chat)
        lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
        get_peft_model(base, lora).save_pretrained(folder / name)
