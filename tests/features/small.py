"""Settings of features for small sounds."""

from pipeline.encoders.section import LogMelFeatures, WindowFeatures

RATE = 22050  # Hz
AUDIO = LogMelFeatures(
    encoder="log-mel",
    sample_rate=RATE,
    n_fft=1024,
    spectrum="power",
    hop_length=512,
    n_mels=16,
    f_min=0.0,
    f_max=11025.0,
    dtype="float16",
)
WINDOWS = WindowFeatures(encoder="a folder", pooling="auto", window_seconds=0.5, window_hop_seconds=0.25)
