"""What this machine's processor is good at."""

import torch


def bfloat16_is_fast() -> bool:
    """Whether matrices in bfloat16 are multiplied by the processor itself.

    Where they are not, torch emulates them: seven times slower than float32 instead of three times
    faster (Whisper's encoder, one thread).
    """
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
