"""What the reference keeps among its weights although nothing trains it: its Hann window and its mel filterbank."""

from torch import Tensor

from pipeline.apps.checkpoint.published import AUDIO
from pipeline.encoders.log_mel import LogMel

TOLERANCE = 1e-4  # their last digits are those of the machine that made them
WINDOW = "audio_encoder.audio_representation.spec_fn.window"
FILTERBANK = "audio_encoder.audio_representation.mel_scale.fb"
MEANING = {
    WINDOW: f"the Hann window of {AUDIO.n_fft} samples",
    FILTERBANK: f"the filterbank of {AUDIO.n_mels} HTK bands, {AUDIO.f_min:g} to {AUDIO.f_max:g} Hz, for sound of "
    f"{AUDIO.sample_rate} Hz",
}


def constants() -> dict[str, Tensor]:
    """Return both by their names, as `pipeline.encoders.log_mel` computes them: [n_fft] and [k, m]."""
    log_mel = LogMel(AUDIO)
    return {WINDOW: log_mel.window, FILTERBANK: log_mel.bands}
