"""HiCMAE's forward as the paper writes it, clip by clip, without our modules: to hold them against.

`p` is our network's state dict, `x` tokens (N, C) of one clip.
"""

import math

import torch


def norm(p, name, x):
    centred = x - x.mean(-1, keepdim=True)
    spread = (centred**2).mean(-1, keepdim=True) + 1e-6
    return centred / spread.sqrt() * p[f"{name}.weight"] + p[f"{name}.bias"]


def heads(q, k, v, allowed=None):
    out = []
    for at in range(0, q.shape[-1], 64):
        part = slice(at, at + 64)
        scores = q[:, part] @ k[:, part].T / 8
        if allowed is not None:
            scores = scores.masked_fill(~allowed, -torch.inf)
        out.append(torch.exp(scores - scores.logsumexp(1, keepdim=True)) @ v[:, part])
    return torch.cat(out, 1)


def block(p, name, x, context=None, allowed=None):
    if context is not None:
        one, other = norm(p, f"{name}.cross_norm1", x), norm(p, f"{name}.cross_norm2", context)
        q = one @ p[f"{name}.cross_attn.q.weight"].T + p[f"{name}.cross_attn.q_bias"]
        k, v = (other @ p[f"{name}.cross_attn.kv.weight"].T).chunk(2, 1)
        seen = heads(q, k, v + p[f"{name}.cross_attn.v_bias"])
        x = x + seen @ p[f"{name}.cross_attn.proj.weight"].T + p[f"{name}.cross_attn.proj.bias"]
    q, k, v = (norm(p, f"{name}.norm1", x) @ p[f"{name}.attn.qkv.weight"].T).chunk(3, 1)
    seen = heads(q + p[f"{name}.attn.q_bias"], k, v + p[f"{name}.attn.v_bias"], allowed)
    x = x + seen @ p[f"{name}.attn.proj.weight"].T + p[f"{name}.attn.proj.bias"]
    inner = norm(p, f"{name}.norm2", x) @ p[f"{name}.mlp.fc1.weight"].T + p[f"{name}.mlp.fc1.bias"]
    inner = inner * (1 + torch.erf(inner / math.sqrt(2))) / 2
    return x + inner @ p[f"{name}.mlp.fc2.weight"].T + p[f"{name}.mlp.fc2.bias"]


def position(index, column, width):
    angle = index / 10000 ** (2 * (column // 2) / width)
    return math.cos(angle) if column % 2 else math.sin(angle)


def places(num_tokens, width):
    return torch.tensor([[position(i, j, width) for j in range(width)] for i in range(num_tokens)])


def encoded(p, name, config, patches, hidden=None):
    """Outputs of all blocks; with `hidden` all tokens stay and the hidden ones are never seen."""
    weight = p[f"{name}.tokens.weight"].flatten(1)
    x = patches @ weight.T + p[f"{name}.tokens.bias"] + places(len(patches), len(weight))
    layers = []
    for number in range(config.depth):
        allowed = None if hidden is None else ~hidden[None].expand(len(x), -1)
        x = block(p, f"{name}.blocks.{number}", x, allowed=allowed)
        layers.append(norm(p, f"{name}.norm", x))
    return layers


def cut(inputs):
    """(channels, ..., ...) of one clip -> patches in order of time, height, width."""
    if inputs.shape[0] == 1:
        cuts = inputs.unfold(1, 16, 16).unfold(2, 16, 16)  # (1, t, f, 16, 16)
        return cuts.permute(1, 2, 0, 3, 4).flatten(2).flatten(0, 1)
    cuts = inputs.unfold(1, 2, 2).unfold(2, 16, 16).unfold(3, 16, 16)  # (3, t, h, w, 2, 16, 16)
    return cuts.permute(1, 2, 3, 0, 4, 5, 6).flatten(3).flatten(0, 2)


def fused(p, config, video, sound):
    for number in range(config.fusion_depth):
        video, sound = (
            block(p, f"fusion.video_blocks.{number}", video, sound),
            block(p, f"fusion.sound_blocks.{number}", sound, video),
        )
    return norm(p, "fusion.video_norm", video), norm(p, "fusion.sound_norm", sound)


def plain_features(p, config, frames, mel):
    video = encoded(p, "video", config, cut(frames))
    sound = encoded(p, "sound", config, cut(mel))
    seen, heard = fused(p, config, video[-1], sound[-1])
    sums = []
    for layers, weights in ((video, p["video_layers"]), (sound, p["sound_layers"])):
        shares = weights.exp() / weights.exp().sum()
        sums.append(sum(s * x.mean(0) for s, x in zip(shares, layers, strict=True)))
    return torch.cat([*sums, seen.mean(0), heard.mean(0)])


def plain_decoded(p, name, tokens, skips, hidden):
    width = p[f"{name}.narrow.weight"].shape[0]
    where = places(len(hidden), width)
    x = tokens @ p[f"{name}.narrow.weight"].T + where[~hidden]
    x = torch.cat([x, p[f"{name}.mask_token"][0] + where[hidden]])
    x = block(p, f"{name}.blocks.0", x)
    for number, skip in enumerate(skips[::-1], start=1):
        context = skip @ p[f"{name}.narrow.weight"].T + where[~hidden]
        x = block(p, f"{name}.blocks.{number}", x, context)
    x = norm(p, f"{name}.norm", x[int((~hidden).sum()) :])
    return x @ p[f"{name}.head.weight"].T + p[f"{name}.head.bias"]
