"""MusiCNN: a convolutional network for music tagging, with weights from an installed package.

J. Pons and X. Serra, 2019, musicnn: pre-trained convolutional neural networks for music audio tagging. The package
holds TensorFlow checkpoints for two sets of tags, MagnaTagATune and the Million Song Dataset. Only these files are
read; the network is reimplemented from the paper and the shapes of the weights.

The front end has filters that are tall in frequency (timbre) or long in time (rhythm), followed by the maximum over
frequency. Three convolutions over time follow, with residual connections. Front end and convolutions are concatenated
and pooled over time by maximum and mean, and two dense layers predict the tags. Windows may have any length.

Axes: n batch, t samples, l frame, m mel band, c channel.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.encoders.tensor_bundle import read_bundle

CHECKPOINTS = ("MTT_musicnn", "MSD_musicnn")  # folders in the package: MagnaTagATune, Million Song Dataset
TAGS = {
    "MTT_musicnn": (
        *("guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano"),
        *("ambient", "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing"),
        *("vocals", "no vocals", "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop"),
        *("soft", "sitar", "solo", "man", "classic", "choir", "voice", "new age", "dance", "male voice"),
        *("female vocal", "beats", "harp", "cello", "no voice", "weird", "country", "metal", "female voice", "choral"),
    ),
    "MSD_musicnn": (
        *("rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s"),
        *("alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul"),
        *("indie rock", "Mellow", "electronica", "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies"),
        *("blues", "hard rock", "ambient", "acoustic", "experimental", "female vocalist", "guitar", "Hip-Hop"),
        *("70s", "party", "country", "easy listening", "sexy", "catchy", "funk", "electro", "heavy metal"),
        *("Progressive rock", "60s", "rnb", "indie pop", "sad", "House", "happy"),
    ),
}

SAMPLE_RATE = 16000  # Hz
N_FFT, HOP_LENGTH, N_MELS = 512, 256, 96
COMPRESSION = 10000.0  # of the power, before the logarithm
EPSILON = 0.001  # of TensorFlow's batch normalisation
TIMBRAL = ((204, 38), (204, 67))  # filters and their height in mel bands, each 7 frames long
TEMPORAL = ((51, 128), (51, 64), (51, 32))  # filters and their length in frames, each one band high
LENGTH = 7  # frames, of all other filters
CHANNELS, DENSE = 64, 200
BLOCK_FRAMES = 32  # convolved at a time: fits into the CPU's cache


class Spectrogram(nn.Module):
    """The network's input from mono samples at `SAMPLE_RATE`."""

    window: Tensor
    bands: Tensor

    def __init__(self) -> None:
        super().__init__()
        from torchaudio.functional import melscale_fbanks

        bands = melscale_fbanks(N_FFT // 2 + 1, 0.0, SAMPLE_RATE / 2, N_MELS, SAMPLE_RATE, "slaney", "slaney")
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)
        self.register_buffer("bands", bands, persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Return log10(1 + 10000 · mel power) [n, l, m] of float32 samples [n, t], with centred frames."""
        with torch.autocast(samples.device.type, enabled=False):  # bfloat16 is too coarse for powers
            spectrum = torch.stft(samples, N_FFT, HOP_LENGTH, window=self.window, return_complex=True)  # [n, k, l]
            return torch.log10(1.0 + COMPRESSION * (spectrum.abs().square().mT @ self.bands))


class MusiCNN(nn.Module):
    """The network of one checkpoint."""

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm2d(1, EPSILON)
        self.front = nn.ModuleList(
            [nn.Conv2d(1, filters, (LENGTH, height)) for filters, height in TIMBRAL]
            + [nn.Conv2d(1, filters, (length, 1)) for filters, length in TEMPORAL]
        )
        self.front_norms = nn.ModuleList(nn.BatchNorm2d(filters, EPSILON) for filters, _ in (*TIMBRAL, *TEMPORAL))
        width = sum(filters for filters, _ in (*TIMBRAL, *TEMPORAL))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(channels, CHANNELS, LENGTH, padding=LENGTH // 2) for channels in (width, CHANNELS, CHANNELS)
        )
        self.norms = nn.ModuleList(nn.BatchNorm1d(CHANNELS, EPSILON) for _ in self.convolutions)
        self.pooled_norm = nn.BatchNorm1d(2 * (width + 3 * CHANNELS), EPSILON)
        self.dense = nn.Linear(2 * (width + 3 * CHANNELS), DENSE)
        self.dense_norm = nn.BatchNorm1d(DENSE, EPSILON)
        self.output = nn.Linear(DENSE, tags)

    def forward(self, mel: Tensor) -> dict[str, Tensor]:
        """Return poolings of `mel` [n, l, m]: `max` and `mean` [n, 753], `penultimate` [n, 200], `tags` [n, tags].

        `tags` are independent probabilities.
        """
        x = self.input_norm(mel[:, None])  # [n, 1, l, m]
        front = [_front(x, conv, norm) for conv, norm in zip(self.front, self.front_norms, strict=True)]  # [n, c, l]
        maps = [torch.cat(front, 1)]
        for conv, norm in zip(self.convolutions, self.norms, strict=True):
            found = norm(F.relu(conv(maps[-1])))
            maps.append(found if len(maps) == 1 else found + maps[-1])
        every = torch.cat(maps, 1)
        highest, mean = every.amax(2), every.mean(2)
        pooled = self.pooled_norm(torch.stack([highest, mean], 2).flatten(1))  # alternating
        penultimate = self.dense_norm(F.relu(self.dense(pooled)))
        return {"max": highest, "mean": mean, "penultimate": penultimate, "tags": self.output(penultimate).sigmoid()}


def _front(x: Tensor, conv: Any, norm: Any) -> Tensor:
    """Return the maximum over bands, [n, c, l], of the front end's filters on `x` [n, 1, l, m].

    ReLU and normalisation are applied after the maximum, or the minimum if the normalisation reverses the order: the
    result is the same, on a fraction of the values. A block of frames at a time fits into the CPU's cache.
    """
    length = conv.kernel_size[0]
    padded = F.pad(x, (0, 0, (length - 1) // 2, length // 2))  # as TensorFlow's "same"
    blocks = []
    for start in range(0, x.shape[2], BLOCK_FRAMES):
        lowest, highest = torch.aminmax(conv(padded[:, :, start : start + BLOCK_FRAMES + length - 1]), dim=3)
        blocks.append(torch.where(norm.weight[:, None] >= 0, highest, lowest))
    return norm(F.relu(torch.cat(blocks, 2))[..., None])[..., 0]


def load_musicnn(folder: Path, tags: int) -> MusiCNN:
    """Return the network of a checkpoint's `folder` in evaluation mode.

    Raises `OSError` if a file is missing, `ValueError` if it is damaged or holds another network.
    """
    tensors = read_bundle(folder / ".index", folder / ".data-00000-of-00001", lambda name: "Adam" not in name)
    network = MusiCNN(tags)
    state = {name: torch.from_numpy(convert(tensors)) for name, convert in _sources(network).items()}
    for name, value in network.state_dict().items():
        if name in state and state[name].shape != value.shape:
            found, wanted = tuple(state[name].shape), tuple(value.shape)
            raise ValueError(f"{folder} holds another network: {name}: found {found}, expected {wanted}")
    network.load_state_dict(state, strict=False)  # TensorFlow has no num_batches_tracked
    return network.eval()


def _sources(network: MusiCNN) -> dict[str, Callable[[dict[str, np.ndarray]], np.ndarray]]:
    """Return a function by weight of `network` that returns its value from the checkpoint's tensors."""

    def source(name: str, *axes: int) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
        def convert(tensors: dict[str, np.ndarray]) -> np.ndarray:
            if name not in tensors:
                raise ValueError(f"the checkpoint lacks {name}")
            value = tensors[name]
            return np.ascontiguousarray(value.transpose(axes) if axes else value)

        return convert

    def numbered(kind: str, number: int) -> str:
        return f"{kind}_{number}" if number else kind

    found = {}
    norms = ["input_norm", *(f"front_norms.{i}" for i in range(len(network.front)))]
    norms += [*(f"norms.{i}" for i in range(len(network.norms))), "pooled_norm", "dense_norm"]
    parts = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    for number, norm in enumerate(norms):
        for ours, theirs in parts.items():
            found[f"{norm}.{ours}"] = source(f"{numbered('batch_normalization', number)}/{theirs}")
    convolutions = [*(f"front.{i}" for i in range(len(network.front)))]
    convolutions += [f"convolutions.{i}" for i in range(len(network.convolutions))]
    for number, conv in enumerate(convolutions):
        kernel = numbered("conv2d", number)  # [frames, bands, in, out]; later layers have channels as bands
        found[f"{conv}.bias"] = source(f"{kernel}/bias")
        if conv.startswith("front"):
            found[f"{conv}.weight"] = source(f"{kernel}/kernel", 3, 2, 0, 1)
        else:
            found[f"{conv}.weight"] = _without_channel(source(f"{kernel}/kernel", 3, 2, 1, 0))
    for number, dense in enumerate(("dense", "output")):
        found[f"{dense}.weight"] = source(f"{numbered('dense', number)}/kernel", 1, 0)
        found[f"{dense}.bias"] = source(f"{numbered('dense', number)}/bias")
    return found


def _without_channel(
    convert: Callable[[dict[str, np.ndarray]], np.ndarray],
) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """Return `convert` without the second axis of its result, which has length 1."""
    return lambda tensors: convert(tensors)[:, 0]
