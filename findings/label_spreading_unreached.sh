#!/bin/sh
# LabelSpreading with a graph of nearest neighbours gives the first class to rows it never reaches.
#
# scikit-learn's `knn` kernel is directed: labels flow along it one way alone. Of two clusters far
# apart, with one labelled row each, half of the rows are reached by no label with 5 neighbours.
# Their distributions are all zeros, and `transduction_` and `predict` call them the first class, without
# a warning. Which class suffers depends on the names of the classes alone.
# The script exits with a status other than zero once an assertion below fails.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
"$folder/venv/bin/python" -I - <<'END'
import warnings

import numpy as np
import sklearn
from sklearn.semi_supervised import LabelSpreading

warnings.simplefilter("error")
generator = np.random.default_rng(0)
x = np.concatenate([generator.normal(size=(50, 2)), generator.normal(size=(50, 2)) + 8])
truth = np.repeat([0, 1], 50)
y = np.full(100, -1)
y[[0, 50]] = truth[[0, 50]]
model = LabelSpreading(kernel="knn", n_neighbors=5, max_iter=1000).fit(x, y)
unreached = model.label_distributions_.sum(axis=1) == 0
print("scikit-learn", sklearn.__version__)
print("rows that no label reaches:", int(unreached.sum()), "of 100")
print("what they are called:", np.unique(model.transduction_[unreached]))
for name in (0, 1):
    right = np.mean(model.transduction_[truth == name] == name)
    print(f"right in the cluster of class {name}: {right:.0%}")
assert unreached.sum() > 20, "this has changed"
assert np.all(model.transduction_[unreached] == 0), "this has changed"
END
