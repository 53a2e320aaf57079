"""What the text recognizer says of phrases it was not trained on, for the embedder."""

from pathlib import Path

import numpy as np
import torch

from affetto.recognizers.text.encoder import Tokens
from affetto.recognizers.text.foreign import to_english
from affetto.recognizers.text.network import TextNetwork
from affetto.recognizers.text.recognizer import felt_confidence
from affetto.train.data.phrases import TEST_FOLD, Phrases
from affetto.train.text_calibration import Told


def write_readings(path: Path, net: TextNetwork, told: Told, phrases: Phrases) -> None:
    """Write an .npz in the form of `affetto.train.data.readings`.

    Args:
        path: of the file; its folder is made.
        net: calibrated.
        told: of phrases that the judging head had not seen, as the uncalibrated net said it.
        phrases: all of them.
    """
    logits = torch.from_numpy(told.logits) / net.temperature
    texts = [to_english(phrases.texts[i]) for i in told.place]
    tokens = Tokens()
    known = torch.cat([tokens.known_share(tokens([text])[0]) for text in texts])
    shares = phrases.shares[told.place]
    scale = net.var_scale.numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        logits=logits.numpy(),
        probs=logits.softmax(dim=-1).numpy(),
        vad=told.rated,
        vad_var=told.rated_var * scale[0],
        asked=told.asked,
        asked_var=told.asked_var * scale[1],
        confidence=felt_confidence(logits, known).numpy(),
        label=np.where(shares.max(axis=1) > 0, shares.argmax(axis=1), -1),
        part=np.where(phrases.fold[told.place] == TEST_FOLD, "test", "train"),
        key=np.array([phrases.group[i] for i in told.place]),
        text=np.array([phrases.texts[i] for i in told.place]),
        language=phrases.language[told.place],
    )
