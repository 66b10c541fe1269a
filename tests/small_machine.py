"""The machine that tests compute on: one process, a CPU, a few things at once."""

from pipeline.core.machine import Machine

MACHINE = Machine(
    device="cpu",
    processes=1,
    train_processes=1,
    compile=False,
    audio_batch_size=2,
    image_batch_size=2,
    text_batch_size=2,
    embed_batch_size=4,
)
