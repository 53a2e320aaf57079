"""The emotion critic on noisy embeddings: accuracy against noise, beside what could be read without it.

Run: python benchmarks/emotion_critic.py
"""

import argparse

import numpy as np
import torch
from result_file import write_result
from torch import Tensor
from torch.nn import functional

from affetto.emotion_bank.discriminator import (
    DiscriminatorConfig,
    EmotionDiscriminator,
    Verdict,
    critic_loss,
    emotion_loss,
)
from affetto.emotion_bank.space import decode
from affetto.train.data.emotion_population import Population, random_requests
from affetto.train.schedule import schedule, set_rate

TIMES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
NUM_TRAIN, NUM_TEST, NUM_STEPS, BATCH = 8000, 4000, 3000, 256
SEEDS = (0, 1, 2)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    torch.set_num_threads(1)
    tables = [one_seed(seed) for seed in SEEDS]
    body = report(tables)
    write_result("emotion_critic", body, command="python benchmarks/emotion_critic.py")


def one_seed(seed: int) -> dict[str, list[float]]:
    """Accuracy at each noise level, a row each."""
    train = random_requests(NUM_TRAIN, rng=np.random.default_rng([seed, 1]))
    test = random_requests(NUM_TEST, rng=np.random.default_rng([seed, 2]))
    order = torch.randperm(NUM_TRAIN, generator=torch.Generator().manual_seed(seed))
    shuffled = Population(train.mean, train.log_var, train.probs[order], train.vad[order])
    critic = fit(train, seed=seed)
    deaf = fit(train, seed=seed, hears_time=False)
    blind = fit(shuffled, seed=seed)
    rows: dict[str, list[float]] = {}
    generator = torch.Generator().manual_seed(seed + 77)
    wanted = test.probs.argmax(dim=-1)
    for level in TIMES:
        time = torch.full((NUM_TEST,), level)
        noisy = blurred(test.mean, time, generator=generator)
        fake = blurred(mismatched(test, generator=generator), time, generator=generator)
        with torch.no_grad():
            verdict = critic(noisy, time, kind="embedding")
            said = {
                "**critic**": verdict.logits,
                "critic that is not told the noise level": deaf(
                    noisy, torch.zeros_like(time), kind="embedding"
                ).logits,
                "critic trained on shuffled labels": blind(noisy, time, kind="embedding").logits,
                "largest label dimension of the noisy embedding": decode(noisy, noisy)[0],
                "exact posterior over the training states": posterior(noisy, level, train),
            }
            for name, scores in said.items():
                hits = (scores.argmax(dim=-1) == wanted).float().mean()
                rows.setdefault(name, []).append(100 * hits.item())
            told = [verdict.real > 0, critic(fake, time, kind="embedding").real <= 0]
        rows.setdefault("real from fake", []).append(100 * torch.cat(told).float().mean().item())
        error = (verdict.vad - test.vad).abs().mean()
        rows.setdefault("mean VAD error", []).append(error.item())
    share = train.probs.argmax(dim=-1).bincount(minlength=11).argmax()
    constant = 100 * (wanted == share).float().mean().item()
    return {"the most frequent label": [constant] * len(TIMES), **rows}


def fit(states: Population, *, seed: int, hears_time: bool = True) -> EmotionDiscriminator:
    """Labels, VAD, and real against fake, at noise levels drawn evenly."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        critic = EmotionDiscriminator(DiscriminatorConfig())
    optimizer = torch.optim.Adam(critic.parameters(), lr=2e-3)
    generator = torch.Generator().manual_seed(seed)
    for step in range(NUM_STEPS):
        set_rate(optimizer, 2e-3 * schedule(step / NUM_STEPS, 0.02))
        batch = states.at(torch.randint(len(states), (BATCH,), generator=generator))
        time = torch.rand(BATCH, generator=generator)
        told = time if hears_time else torch.zeros_like(time)
        real = judged(critic, batch.mean, time, told, generator=generator)
        fake = judged(
            critic, mismatched(batch, generator=generator), time, told, generator=generator
        )
        loss = emotion_loss(real, batch.probs, batch.vad) + 0.1 * critic_loss(real, fake)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return critic.eval()


def judged(
    critic: EmotionDiscriminator,
    clean: Tensor,
    time: Tensor,
    told: Tensor,
    *,
    generator: torch.Generator,
) -> Verdict:
    verdict: Verdict = critic(blurred(clean, time, generator=generator), told, kind="embedding")
    return verdict


def blurred(clean: Tensor, time: Tensor, *, generator: torch.Generator) -> Tensor:
    """On the straight way from the embedding (time 0) to noise (time 1)."""
    noise = torch.randn(clean.shape, generator=generator)
    return (1.0 - time[:, None]) * clean + time[:, None] * noise


def mismatched(states: Population, *, generator: torch.Generator) -> Tensor:
    """Fakes: the VAD of one state with the labels of another."""
    order = torch.randperm(len(states), generator=generator)
    return torch.cat([states.mean[:, :3], states.mean[order, 3:]], dim=1)


def posterior(noisy: Tensor, level: float, train: Population) -> Tensor:
    """Label probabilities given a noisy embedding, were the training states all there is."""
    spread = max(level, 1e-2)
    squares = torch.cdist(noisy, (1.0 - level) * train.mean) ** 2
    weights = functional.softmax(-0.5 * squares / spread**2, dim=-1)
    return weights @ functional.one_hot(train.probs.argmax(dim=-1), 11).float()


def report(tables: list[dict[str, list[float]]]) -> str:
    lines = [
        "# The emotion critic on noisy embeddings",
        "",
        f"`EmotionDiscriminator` (kind embedding) trained {NUM_STEPS} steps on {NUM_TRAIN} random requests, judged on",
        f"{NUM_TEST} others; seeds {', '.join(map(str, SEEDS))}, mean (and half the range between the seeds). The embedding is blurred on the",
        "straight way to unit noise, (1 - t) x + t e. Accuracy (%) of the most probable of 11 labels; the wanted one is",
        "the largest label of the request (a blend of halves cannot be told, so no row reaches 100). Fakes carry the VAD of",
        "one state and the labels of another. The exact posterior knows the training states: about what is possible.",
        "",
        "| t | " + " | ".join(f"{time:g}" for time in TIMES) + " |",
        "| --- |" + " --- |" * len(TIMES),
    ]
    for name in tables[0]:
        values = np.asarray([table[name] for table in tables])
        spread = np.ptp(values, axis=0) / 2
        digits = 2 if name == "mean VAD error" else 0
        cells = [
            f"{m:.{digits}f} ({s:.{digits}f})"
            for m, s in zip(values.mean(axis=0), spread, strict=True)
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
