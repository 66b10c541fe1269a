"""The architecture of the published checkpoints, from the paper and its code, as parameters of this project.

Soundtrack Recommendation for Film Productions: A Multimodal Approach. A checkpoint itself holds only tensors; the
configurations of the text and image encoders come from other sources.
"""

from pipeline.encoders.section import LogMelFeatures
from pipeline.model.section import AudioTower, Model, Projector, QueryTower

TEXT, IMAGE = "bert-base-uncased", "google/vit-base-patch16-224-in21k"  # the encoders' initial weights
KINDS = {"text": "bert", "image": "vit"}  # model_type by kind; in the order of a query's tokens
ENCODER_WIDTH = 768
MAX_TOKENS = 512

AUDIO = LogMelFeatures(
    encoder="log-mel",
    sample_rate=22050,
    n_fft=1024,
    spectrum="real",
    hop_length=220,
    n_mels=128,
    f_min=0.0,
    f_max=11025.0,
    dtype="float16",
)
ARCHITECTURE = Model(
    embed_dim=64,
    temperature=0.2,
    max_logit_scale=100.0,
    towers="paper",
    components=60,  # unused by the paper's towers, as is the noise
    noise=1.5,
    audio=AudioTower(
        window_seconds=9.92,
        window_hop_seconds=4.96,  # chosen by this project: the reference embeds one window per file
        channels=128,
        blocks=4,
        width=256,
        layers=4,
        heads=8,
        head_width=32,
        feedforward=1024,
        positions=513,
        dropout=0.1,
    ),
    query=QueryTower(input_dropout=0.0, width=256, layers=1, heads=3, head_width=100, feedforward=64, dropout=0.2),
    projector=Projector(hidden=512, dropout=0.2),
)
WINDOW_STEPS = 995  # frames of 9.92 s
