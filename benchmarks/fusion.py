"""Voice and face joined as people join them: CREMA-D's votes on actors that nothing was fitted to.

Run: python benchmarks/fusion.py [--data ../shared/data] [--weights embedder]
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from result_file import write_result
from torch.nn import functional

from affetto.emotion_bank.embedder import CrossModalEmbedder, build_embedder, place
from affetto.emotion_bank.space import decode, embed_tensors
from affetto.gaussian import product_of_experts
from affetto.recognizers.metrics import accuracy, bootstrap, pearson
from affetto.train.data.cremad import (
    VOTED,
    VOTED_PLACES,
    CremadVotes,
    over_labels,
    part,
    read_cremad,
)
from affetto.train.data.embedder_batches import voted_batch
from affetto.train.data.readings import derived
from affetto.weights import load_weights

Shares = NDArray[np.float64]
SHIPPED = "**embedder (shipped)**"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", default="embedder")
    given = parser.parse_args()
    torch.set_num_threads(1)
    votes = read_cremad(given.data / "av_affect_annotations")
    train, test = part(votes, "train"), part(votes, "test")
    weights = load_weights(given.weights)
    net = build_embedder(weights)
    rows = predictions(net, train, test)
    wanted = six(test.both)
    lines = [
        "# What voice and face make together",
        "",
        "Data: CREMA-D's votes (some ten people a clip and condition; no media): the shares of those who only heard and only",
        "saw go in, the shares of those who heard and saw should come out. Actors by number mod 4: 2, 3 fit "
        f"({len(train.names)} clips), 1",
        f"chooses, 0 tests ({len(test.names)} clips of {len(set(test.actors))} actors). KL from people's shares to the prediction in nats; accuracy of the most",
        "voted label (clips with a tie at the top left out); r over all shares. Intervals: bootstrap over actors, 95 %.",
        f"Net: model.safetensors sha256 {weights.sha256[:16]}.",
        "",
        "| | KL | accuracy | r |",
        "| --- | --- | --- | --- |",
    ]
    for name, probs in rows.items():
        lines.append(f"| {name} | {' | '.join(figures(wanted, probs, test.actors))} |")
    lines += [
        "",
        "KL of the row less that of the embedder, paired, bootstrap over actors, 95 %:",
        "",
    ]
    mine = divergences(wanted, rows[SHIPPED])
    for name, probs in rows.items():
        if name != SHIPPED:
            gap = divergences(wanted, probs) - mine
            low, high = bootstrap(np.mean, gap, groups=test.actors)
            lines.append(f"- {name}: {gap.mean():+.3f} [{low:+.3f}, {high:+.3f}]")
    lines += leaning(net, test, rows[SHIPPED])
    write_result(
        "fusion", "\n".join(lines), command="python benchmarks/fusion.py --data ../shared/data"
    )


def six(votes: Shares) -> Shares:
    """Votes (N, 6) as shares, a sixth of a vote added to each."""
    shares: Shares = over_labels(votes)[:, VOTED_PLACES].astype(np.float64)
    return shares


def predictions(
    net: CrossModalEmbedder, train: CremadVotes, test: CremadVotes
) -> dict[str, Shares]:
    voice, face = six(test.voice), six(test.face)
    both = (place("voice"), place("face"))
    return {
        "constant: mean votes of the fitting actors": np.tile(
            six(train.both).mean(axis=0), (len(voice), 1)
        ),
        "voice alone": voice,
        "face alone": face,
        "voice alone, fitted (weight and offset)": pool(train, test, ("voice",)),
        "face alone, fitted (weight and offset)": pool(train, test, ("face",)),
        "average": (voice + face) / 2,
        "product of experts on labels": normalised(voice * face),
        "product of Gaussians in the space": gaussians(test),
        "fitted logarithmic pool (2 weights, 6 offsets)": pool(train, test, ("voice", "face")),
        "embedder, voice alone": embedded(net, test, both[:1]),
        "embedder, face alone": embedded(net, test, both[1:]),
        SHIPPED: embedded(net, test, both),
        "embedder, rounded as in the embedding": embedded(net, test, both, fine=False),
        "embedder, faces of other clips": embedded(net, shuffled_faces(test), both),
    }


def normalised(shares: Shares) -> Shares:
    return shares / shares.sum(axis=1, keepdims=True)


def shuffled_faces(votes: CremadVotes) -> CremadVotes:
    order = np.random.default_rng(0).permutation(len(votes.names))
    return CremadVotes(votes.names, votes.actors, votes.voice, votes.face[order], votes.both)


def embedded(
    net: CrossModalEmbedder, votes: CremadVotes, shown: tuple[int, ...], *, fine: bool = True
) -> Shares:
    batch = voted_batch(votes, np.arange(len(votes.names)))
    mask = torch.zeros_like(batch.mask)
    mask[:, list(shown)] = True
    with torch.no_grad():
        probs, _, _ = decode(*net(batch.tokens, batch.modality(), mask, fine=fine))
    return normalised(np.maximum(probs[:, VOTED_PLACES].double().numpy(), 1e-4))


def gaussians(votes: CremadVotes) -> Shares:
    """Each put in the space by `embed`, then the product of the two Gaussians."""
    placed = []
    for table in (votes.voice, votes.face):
        probs = over_labels(table)
        vad, variance = derived(probs)
        placed.append(embed_tensors(*(torch.from_numpy(a) for a in (vad, probs, variance))))
    mean, log_var = (torch.stack([one[i] for one in placed]) for i in (0, 1))
    probs, _, _ = decode(*product_of_experts(mean, log_var, torch.ones(mean.shape[:2]) > 0))
    return normalised(np.maximum(probs[:, VOTED_PLACES].double().numpy(), 1e-4))


def pool(train: CremadVotes, test: CremadVotes, names: tuple[str, ...]) -> Shares:
    """softmax(sum of w log shares + b), fitted to the votes of the fitting actors."""
    weights = torch.ones(len(names), dtype=torch.float64, requires_grad=True)
    offsets = torch.zeros(len(VOTED), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, offsets], max_iter=200)
    wanted = torch.from_numpy(six(train.both))

    def logits(votes: CremadVotes) -> torch.Tensor:
        parts = [torch.from_numpy(np.log(six(getattr(votes, name)))) for name in names]
        return torch.einsum("p,pnk->nk", weights, torch.stack(parts)) + offsets

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(logits(train), wanted)
        loss.backward()
        return loss

    optimizer.step(closure)
    print(names, weights.detach().numpy().round(2), offsets.detach().numpy().round(2))
    return logits(test).softmax(dim=1).detach().numpy()


def divergences(wanted: Shares, probs: Shares) -> Shares:
    return (wanted * np.log(wanted / probs)).sum(axis=1)


def figures(wanted: Shares, probs: Shares, actors: NDArray[np.str_]) -> list[str]:
    clear = (wanted == wanted.max(axis=1, keepdims=True)).sum(axis=1) == 1

    def right(a: Shares, b: Shares) -> float:
        return accuracy(a.argmax(axis=1), b.argmax(axis=1))

    measures: list[tuple[Callable[..., float], NDArray[np.bool_], int]] = [
        (lambda a, b: float(divergences(a, b).mean()), np.ones(len(wanted), bool), 3),
        (right, clear, 3),
        (lambda a, b: pearson(a.ravel(), b.ravel()), np.ones(len(wanted), bool), 3),
    ]
    cells = []
    for measure, rows, digits in measures:
        low, high = bootstrap(measure, wanted[rows], probs[rows], groups=actors[rows], rounds=500)
        cells.append(
            f"{measure(wanted[rows], probs[rows]):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
        )
    return cells


def leaning(net: CrossModalEmbedder, test: CremadVotes, probs: Shares) -> list[str]:
    """Whom the result follows, by how much the hearers and the seers agree among themselves."""
    voice, face, both = six(test.voice), six(test.face), six(test.both)
    agreement = {"voice": voice.max(axis=1), "face": face.max(axis=1)}
    batch = voted_batch(test, np.arange(len(test.names)))
    with torch.no_grad():
        given = net.weights(batch.tokens, batch.modality(), batch.mask).numpy()
    apart = np.abs(voice - face).sum(axis=1) > 0.5  # else there is nothing to choose between
    lines = [
        "",
        "## Whom it follows",
        "",
        "Agreement = share of the most voted label, halves at the median. Lean: where the result lies on the line from the",
        "voice's shares (0) to the face's (1), least squares over the clips where they differ (by .5 in all); people = those who",
        "heard and saw. Weights: the embedder's own, mean.",
        "",
        "| voice / face agreement | clips | lean of people | lean of the embedder | weight of voice / face |",
        "| --- | --- | --- | --- | --- |",
    ]
    halves = {
        name: {"low": values < np.median(values), "high": values >= np.median(values)}
        for name, values in agreement.items()
    }
    for heard, in_voice in halves["voice"].items():
        for seen, in_face in halves["face"].items():
            rows = in_voice & in_face & apart
            leans = [lean(voice[rows], face[rows], result[rows]) for result in (both, probs)]
            weight = given[rows][:, [place("voice"), place("face")]].mean(axis=0)
            lines.append(
                f"| {heard} / {seen} | {rows.sum()} | {leans[0]:.2f} | {leans[1]:.2f} "
                f"| {weight[0]:.2f} / {weight[1]:.2f} |"
            )
    return lines


def lean(start: Shares, end: Shares, result: Shares) -> float:
    way = end - start
    return float(((result - start) * way).sum() / (way**2).sum())


if __name__ == "__main__":
    main()
