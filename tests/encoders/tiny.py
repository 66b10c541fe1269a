"""Tiny random transformers models, saved to folders by save_pretrained, so that the real code loads them."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch

SIZES: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
WORDS = ["a", "dog", "runs", "home", "war", "begins", "."]
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]  # padding has id 1
SIZE, PATCH = 32, 8  # px
TEXT = ("bert", "roberta", "mpnet")
IMAGE = ("vit", "clip", "siglip", "dinov2")
AUDIO = ("clap", "clap_fusion", "ast", "wav2vec2", "hubert")
JOINT = ("joint_clap", "joint_gemma")  # text and audio in a shared space
MARKS = ["<|image>", "<|image|>", "<image|>", "<|audio>", "<|audio|>", "<audio|>", "<|video|>"]  # of non-text inputs
JOINT_SPREAD = 8.0  # factor on the usual deviation of a text tower's initial weights: else all texts are alike


def save_tiny(kind: str, folder: Path) -> Path:
    """Save a model of one of the kinds above with its input preparation; return the folder."""
    torch.manual_seed(0)
    for kinds, save in ((TEXT, _save_text), (IMAGE, _save_image), (AUDIO, _save_audio), (JOINT, _save_joint)):
        if kind in kinds:
            save(kind, folder)
    return folder


def save_sentence(bert: Path, folder: Path, pooling: dict[str, Any], *steps: str, **settings: Any) -> Path:
    """Save a BertModel as sentence-transformers does: transformer, pooling, further steps, and settings."""
    shutil.copytree(bert, folder)
    kinds = ["Transformer", "Pooling", *steps]
    modules = [
        {"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "", "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(kinds)
    ]
    (folder / "1_Pooling").mkdir()
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling/config.json").write_text(json.dumps({"word_embedding_dimension": 16} | pooling))
    (folder / "sentence_bert_config.json").write_text(json.dumps(settings))
    return folder


def save_dense(
    model: Path, number: int, linear: torch.nn.Linear, activation: str, pickled: bool = False, **settings: Any
) -> Path:
    """Save a dense layer as step `number` of the sentence-transformers model in `model`; return its folder."""
    from safetensors.torch import save_file

    folder = model / f"{number}_Dense"
    folder.mkdir()
    settings = {
        "in_features": linear.in_features,
        "out_features": linear.out_features,
        "bias": linear.bias is not None,
        "activation_function": activation,
    } | settings
    (folder / "config.json").write_text(json.dumps(settings))
    weights = {f"linear.{name}": value.detach() for name, value in linear.named_parameters()}
    if pickled:
        torch.save(weights, folder / "pytorch_model.bin")
    else:
        save_file(weights, folder / "model.safetensors")
    return folder


def save_prompt(model: Path, prompts: dict[str, str], default: str | None) -> None:
    """Save the prompts of a sentence-transformers model."""
    settings = {"prompts": prompts, "default_prompt_name": default}
    (model / "config_sentence_transformers.json").write_text(json.dumps(settings))


def without_weights(source: Path, folder: Path, *prefixes: str) -> Path:
    """Copy a folder without the weights whose names contain one of `prefixes`."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(source, folder)
    kept = load_file(source / "model.safetensors")
    kept = {name: value for name, value in kept.items() if not any(prefix in name for prefix in prefixes)}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    return folder


def _save_text(kind: str, folder: Path) -> None:
    """Save a model that takes 20 tokens, and its tokenizer."""
    from transformers import (
        BertConfig,
        BertModel,
        BertTokenizerFast,
        MPNetConfig,
        MPNetModel,
        MPNetTokenizerFast,
        PreTrainedTokenizerFast,
        RobertaConfig,
        RobertaModel,
    )

    vocabulary = {word: i for i, word in enumerate((BERT_SPECIAL if kind == "bert" else ROBERTA_SPECIAL) + WORDS)}
    sizes = SIZES | {"vocab_size": len(vocabulary)}
    if kind == "bert":
        tokenizer, model = (
            BertTokenizerFast(vocab=vocabulary),
            BertModel(BertConfig(max_position_embeddings=20, **sizes)),
        )
    elif kind == "roberta":
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=_word_tokenizer(vocabulary), pad_token="<pad>", cls_token="<s>", sep_token="</s>"
        )
        model = RobertaModel(RobertaConfig(max_position_embeddings=22, type_vocab_size=1, pad_token_id=1, **sizes))
    else:
        vocabulary["[UNK]"] = vocabulary.pop("<unk>")
        tokenizer = MPNetTokenizerFast(vocab=vocabulary)
        model = MPNetModel(MPNetConfig(max_position_embeddings=22, pad_token_id=1, **sizes))
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def _save_image(kind: str, folder: Path) -> None:
    """Save a model for pictures of 32 px and its preprocessor."""
    from transformers import (
        BitImageProcessorPil,
        CLIPConfig,
        CLIPImageProcessorPil,
        CLIPModel,
        Dinov2Config,
        Dinov2Model,
        SiglipConfig,
        SiglipImageProcessorPil,
        SiglipModel,
        ViTConfig,
        ViTImageProcessorPil,
        ViTModel,
    )

    vision = SIZES | {"image_size": SIZE, "patch_size": PATCH}
    text = SIZES | {"vocab_size": 20, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
    square = {"height": SIZE, "width": SIZE}
    if kind == "vit":
        model, processor = ViTModel(ViTConfig(**vision)), ViTImageProcessorPil(size=square)
    elif kind == "dinov2":
        model = Dinov2Model(Dinov2Config(**vision))
        processor = BitImageProcessorPil(size={"shortest_edge": 40}, crop_size=square)
    elif kind == "clip":
        model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12))
        processor = CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size=square)
    else:
        model = SiglipModel(SiglipConfig(text_config=text, vision_config=vision))
        processor = SiglipImageProcessorPil(size=square)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _save_audio(kind: str, folder: Path) -> None:
    """Save a model of windows and its feature extractor."""
    from transformers import (
        ASTConfig,
        ASTFeatureExtractor,
        ASTModel,
        ClapConfig,
        ClapFeatureExtractor,
        ClapModel,
        HubertConfig,
        HubertModel,
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2Model,
    )

    convolutions = {"conv_dim": [8, 8], "conv_kernel": [10, 8], "conv_stride": [5, 4], "num_feat_extract_layers": 2}
    waves = SIZES | convolutions | {"num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 2, "vocab_size": 8}
    if kind.startswith("clap"):
        fusion = kind == "clap_fusion"
        tower = {"patch_embeds_hidden_size": 16, "depths": [1, 1], "num_attention_heads": [2, 2], "hidden_size": 32}
        tower |= {"spec_size": 64, "num_mel_bins": 16, "window_size": 4, "enable_fusion": fusion}
        text = SIZES | {"vocab_size": 20}
        model = ClapModel(ClapConfig(text_config=text, audio_config=tower, projection_dim=12))
        extractor = ClapFeatureExtractor(
            feature_size=16, max_length_s=1, hop_length=480, truncation="fusion" if fusion else "rand_trunc"
        )
    elif kind == "ast":
        model = ASTModel(ASTConfig(max_length=100, num_mel_bins=16, **SIZES))
        extractor = ASTFeatureExtractor(max_length=100, num_mel_bins=16)
    elif kind == "wav2vec2":
        model, extractor = Wav2Vec2Model(Wav2Vec2Config(**waves)), Wav2Vec2FeatureExtractor(do_normalize=True)
    else:
        model = HubertModel(HubertConfig(feat_extract_norm="layer", do_stable_layer_norm=True, **waves))
        extractor = Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
    model.save_pretrained(folder)
    extractor.save_pretrained(folder)


def _save_joint(kind: str, folder: Path) -> None:
    """Save a model of text and windows of 1 s (CLAP), or of text, windows and pictures, with its input preparation."""
    (_save_joint_clap if kind == "joint_clap" else _save_joint_gemma)(folder)


def _save_joint_clap(folder: Path) -> None:
    from transformers import ClapModel, PreTrainedTokenizerFast

    _save_audio("clap", folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_letter_tokenizer(ROBERTA_SPECIAL, "<s>", "</s>"),
        pad_token="<pad>",
        cls_token="<s>",
        sep_token="</s>",
        model_max_length=40,
    )
    tokenizer.save_pretrained(folder)
    config = ClapModel.config_class.from_pretrained(folder)
    config.text_config.vocab_size = len(tokenizer)
    _spread(ClapModel(config), ("text_", "audio_")).save_pretrained(folder)


def _save_joint_gemma(folder: Path) -> None:
    from transformers import (
        EmbeddingGemma2Config,
        EmbeddingGemma2Model,
        Gemma4AudioFeatureExtractor,
        Gemma4ImageProcessorPil,
        PreTrainedTokenizerFast,
    )

    special = ["<pad>", "<eos>", "<bos>", "<unk>", *MARKS]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_letter_tokenizer(special, "<bos>", "<eos>"),
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        padding_side="left",
    )
    tokenizer.save_pretrained(folder)
    heads = {"num_attention_heads": 2, "head_dim": 8}
    layers = SIZES | heads | {"num_key_value_heads": 1, "global_head_dim": 8, "sliding_window_pattern": 2}
    text = layers | {"hidden_size_per_layer_input": 8, "embedding_dim": 12, "vocab_size": len(tokenizer)}
    vision = SIZES | heads | {"num_key_value_heads": 2, "patch_size": 4, "position_embedding_size": 128}
    audio = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "output_proj_dims": 16}
    names = ("boi", "image", "eoi", "boa", "audio", "eoa", "video")
    numbers = dict(zip(names, tokenizer.convert_tokens_to_ids(MARKS), strict=True))
    config = EmbeddingGemma2Config(
        text_config=text | {"max_position_embeddings": 64},
        vision_config=vision | {"model_type": "gemma4_vision", "pooling_kernel_size": 3},
        audio_config=audio | {"model_type": "gemma4_audio", "subsampling_conv_channels": [16, 4]},
        eoa_token_index=numbers.pop("eoa"),
        **{f"{name}_token_id": number for name, number in numbers.items()},
    )
    _spread(EmbeddingGemma2Model(config), "language_model").save_pretrained(folder)
    parts = {
        "feature_extractor": Gemma4AudioFeatureExtractor(feature_size=16),
        "image_processor": Gemma4ImageProcessorPil(patch_size=4, pooling_kernel_size=3, max_soft_tokens=70),
    }
    settings = {name: json.loads(part.to_json_string()) for name, part in parts.items()}
    (folder / "processor_config.json").write_text(
        json.dumps(settings | {"processor_class": "EmbeddingGemma2Processor"})
    )


def _spread(model: Any, parts: str | tuple[str, ...]) -> Any:
    """Return `model` with larger values in weights whose names begin with one of `parts`."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.startswith(parts) and weight.ndim == 2:
                weight.mul_(JOINT_SPREAD)
    return model


def _letter_tokenizer(special: list[str], begin: str, end: str) -> Any:
    """Return a tokenizer with one token per letter, so that different texts stay different."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocabulary = {token: number for number, token in enumerate([*special, *map(chr, range(32, 127))])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.add_special_tokens(special)
    ends = [(token, vocabulary[token]) for token in (begin, end)]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{begin} $A {end}", special_tokens=ends)
    return tokenizer


def _word_tokenizer(vocabulary: dict[str, int]) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return tokenizer
