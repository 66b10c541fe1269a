"""What the reference keeps among its weights although nothing trains it: its Hann window and its mel filterbank."""

import torch
from torch import Tensor

from pipeline.checkpoint.published import AUDIO

TOLERANCE = 1e-4  # their last digits are those of the machine that made them
WINDOW = "audio_encoder.audio_representation.spec_fn.window"
FILTERBANK = "audio_encoder.audio_representation.mel_scale.fb"
MEANING = {
    WINDOW: f"the Hann window of {AUDIO.n_fft} samples",
    FILTERBANK: f"the filterbank of {AUDIO.n_mels} HTK bands, {AUDIO.f_min:g} to {AUDIO.f_max:g} Hz, for sound of "
    f"{AUDIO.sample_rate} Hz",
}


def constants() -> dict[str, Tensor]:
    """Return both by their names, as `pipeline.spectrogram` computes them: [n_fft] and [k, m]."""
    from torchaudio.functional import melscale_fbanks

    bands = melscale_fbanks(
        AUDIO.n_fft // 2 + 1, AUDIO.f_min, AUDIO.f_max, AUDIO.n_mels, AUDIO.sample_rate, None, "htk"
    )
    return {WINDOW: torch.hann_window(AUDIO.n_fft), FILTERBANK: bands}
