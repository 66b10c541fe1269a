"""The machine settings of tests: one process, a CPU, small batches."""

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
