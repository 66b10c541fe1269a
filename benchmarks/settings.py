"""The log-mel settings of params.yaml, whatever its encoder."""

from pathlib import Path

from pipeline.core.fields import read_params
from pipeline.encoders.section import LOG_MEL, LogMelFeatures, audio_features_of

ROOT = Path(__file__).parent.parent


def log_mel_settings() -> LogMelFeatures:
    """Return `features.audio` with log-mel as its encoder."""
    found = audio_features_of(read_params(ROOT / "params.yaml")["features"]["audio"] | {"encoder": LOG_MEL})
    assert isinstance(found, LogMelFeatures)
    return found
