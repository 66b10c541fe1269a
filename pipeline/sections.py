"""The sections of `params.yaml`: a frozen dataclass each, a field a key, no defaults.

Units stand in the comments of `params.yaml`. Relations between the values of a section are checked in `__post_init__`.
"""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

LOG_MEL = "log-mel"  # what `features.audio.encoder` calls the spectrogram, which no pretrained model is behind
Input = Literal["image", "tags", "plot", "tags_plot"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Dropout = Annotated[float, Field(ge=0.0, lt=1.0)]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Name = Annotated[str, Field(min_length=1)]
Pooling = Literal["auto", "cls", "mean", "pooler"]


@dataclass(frozen=True, config=STRICT)
class Corpus:
    """Which films, and whether their site is served from the corpus itself."""

    folder: Name
    serve: Name | None
    contact: Name | None
    search: Annotated[str, Field(pattern=r"^ytsearch[1-9][0-9]*:.*\{title\}")]


@dataclass(frozen=True, config=STRICT)
class Scrape:
    """How pages and posters are fetched."""

    requests_per_minute: Positive
    attempts: Count
    timeout_seconds: Positive
    max_wait_seconds: Positive
    max_page_bytes: Count
    max_poster_bytes: Count
    poster_hosts: list[Name]
    refresh: bool
    min_success_rate: Share


@dataclass(frozen=True, config=STRICT)
class Parse:
    """How pages become films."""

    tags: Literal["words", "categories"]
    missing: Literal["leave_out", "placeholder"]
    short_side: Count
    jpeg_quality: Annotated[int, Field(ge=1, le=95)]
    max_pixels: Count
    processes: Count
    min_success_rate: Share


@dataclass(frozen=True, config=STRICT)
class Download:
    """How recordings are fetched."""

    workers: Count
    attempts: Count
    request_pause_seconds: NotNegative
    video_pause_seconds: NotNegative
    timeout_seconds: Positive
    max_bytes: Count
    max_seconds: Positive
    max_entries: Count
    cookies: Name | None
    min_success_rate: Share


@dataclass(frozen=True, config=STRICT)
class Segment:
    """How recordings are cut."""

    seconds: Positive
    hop_seconds: Positive
    min_seconds: Positive
    rest: Literal["drop", "join"]
    silence_lufs: Annotated[float, Field(ge=-70.0, lt=0.0)] | None
    duplicate_bit_errors: Annotated[float, Field(ge=0.0, lt=0.5)] | None
    max_per_film: Count | None
    sample_rate: Literal[16000, 22050, 24000, 32000, 44100, 48000]  # what MP3 can hold
    format: Literal["mp3", "flac", "ogg"]
    bit_rate: Annotated[int, Field(ge=8000, le=320000)]
    processes: Count
    min_success_rate: Share

    def __post_init__(self) -> None:
        if self.min_seconds > self.seconds:
            raise ValueError(f"min_seconds ({self.min_seconds}) must not exceed seconds ({self.seconds})")
        low, high = (32000, 320000) if self.sample_rate >= 32000 else (8000, 160000)  # MPEG-1 and MPEG-2
        if self.format == "mp3" and not low <= self.bit_rate <= high:
            at = f"at sample_rate {self.sample_rate} MP3 takes {low} to {high}"
            raise ValueError(f"bit_rate: found {self.bit_rate}; {at} bit/s")


@dataclass(frozen=True, config=STRICT)
class Split:
    """Shares of the films on each side."""

    train: Share
    valid: Share
    eval: Share
    seed: Seed

    def __post_init__(self) -> None:
        total = self.train + self.valid + self.eval
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"train + valid + eval must be 1, found {total:g}")


@dataclass(frozen=True, config=STRICT)
class AudioFeatures:
    """The log-mel spectrogram, or a pretrained encoder of windows."""

    encoder: Name
    sample_rate: Count
    n_fft: Count
    spectrum: Literal["power", "real"]
    hop_length: Count
    n_mels: Count
    f_min: NotNegative
    f_max: Positive
    dtype: Literal["float16", "uint8"]
    pooling: Pooling
    window_seconds: Positive
    window_hop_seconds: Positive
    batch_size: Count
    processes: Count

    def __post_init__(self) -> None:
        if not self.f_min < self.f_max <= self.sample_rate / 2:
            found = f"found {self.f_min:g}, {self.f_max:g} and {self.sample_rate}"
            raise ValueError(f"f_min < f_max <= sample_rate / 2 must hold, {found}")
        if self.hop_length > self.n_fft:
            raise ValueError(f"hop_length ({self.hop_length}) must not exceed n_fft ({self.n_fft})")


@dataclass(frozen=True, config=STRICT)
class ImageFeatures:
    """The image encoder."""

    encoder: Name
    pooling: Pooling
    crops: Count
    batch_size: Count


@dataclass(frozen=True, config=STRICT)
class TextFeatures:
    """The text encoder."""

    encoder: Name
    pooling: Pooling
    max_tokens: Count
    batch_size: Count


@dataclass(frozen=True, config=STRICT)
class Features:
    """What is computed once and cached."""

    audio: AudioFeatures
    image: ImageFeatures
    text: TextFeatures


@dataclass(frozen=True, config=STRICT)
class AudioTower:
    """Convolutional front end and transformer over a window of log-mel."""

    window_seconds: Positive
    window_hop_seconds: Positive
    channels: Count
    blocks: Count
    width: Count
    layers: Count
    heads: Count
    head_width: Count
    feedforward: Count
    positions: Count
    dropout: Dropout


@dataclass(frozen=True, config=STRICT)
class QueryTower:
    """Fusion transformer over one token an input."""

    input_dropout: Dropout
    width: Count
    layers: Annotated[int, Field(ge=0)]
    heads: Count
    head_width: Count
    feedforward: Count
    dropout: Dropout


@dataclass(frozen=True, config=STRICT)
class Projector:
    """Two-layer head of either tower."""

    hidden: Count
    dropout: Dropout


@dataclass(frozen=True, config=STRICT)
class Model:
    """Widths, depths and the temperature, the same for all variants."""

    embed_dim: Count
    temperature: Positive
    max_logit_scale: Positive
    audio: AudioTower
    query: QueryTower
    projector: Projector


@dataclass(frozen=True, config=STRICT)
class Train:
    """The training loop."""

    seed: Seed
    encoders: Literal["frozen", "finetune"]
    epochs: Count
    batch_size: Annotated[int, Field(ge=2)]
    micro_batch_size: Annotated[int, Field(ge=4)] | None
    sampler: Literal["films", "tracks"]
    shuffle: bool
    same_film: Literal["masked", "positives", "negatives"]
    optimizer: Literal["adamw", "adam"]
    learning_rate: Positive
    encoder_learning_rate: Positive
    schedule: Literal["cosine", "plateau", "plateau-reversed"]
    warmup: Share
    plateau_epochs: Count
    plateau_factor: Annotated[float, Field(gt=0.0, lt=1.0)]
    weight_decay: NotNegative
    max_grad_norm: Positive | None
    monitor: Literal["loss", "recall_at_10"]
    patience: Count | None
    valid_draws: Count
    precision: Literal["auto", "float32", "bfloat16"]
    compile: bool
    processes: Count
    threads: Count


@dataclass(frozen=True, config=STRICT)
class Evaluate:
    """Metrics and their intervals."""

    batch_size: Count
    pool: Literal["eval", "all"]
    paragraphs: Literal["mean", "first", "best"]
    ks: Annotated[list[Count], Field(min_length=1)]
    genres: list[Name]
    min_slice_films: Count
    bootstrap_samples: Count
    seed: Seed


@dataclass(frozen=True, config=STRICT)
class Compare:
    """The comparison and its report."""

    metric: Name
    permutations: Count
    films: Count
    excerpt_seconds: Positive
    excerpt_bit_rate: Annotated[int, Field(ge=8000, le=160000)]
    max_audio_bytes: Count


@dataclass(frozen=True, config=STRICT)
class Recommend:
    """How music is found for queries of one's own."""

    search: Literal["exact", "approximate"]
    lists: Count
    probes: Count
    max_text_chars: Count
    max_paragraphs: Count
    max_image_bytes: Count
    max_track_seconds: Positive
    processes: Count

    def __post_init__(self) -> None:
        if self.probes > self.lists:
            raise ValueError(f"recommend.probes: found {self.probes}, at most recommend.lists ({self.lists})")
