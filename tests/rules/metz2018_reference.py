"""The published rule in plain NumPy float64, written from its equations; used only by tests.

Layouts follow the equations: batch first, `(batch, unit, channel)`, theta by recorded names.
"""

import numpy as np

TERM_ORDER = [
    "0_order",
    "1_order",
    "decorr_x",
    "hebb",
    "large_decay",
    "lin_lower_symm",
    "lin_upper_psd",
    "lin_upper_symm",
    "rbf",
    "sqr_lower_symm",
    "sqr_upper_symm",
    "w_base",
]


def sigmoid(a):
    return 1.0 / (1.0 + np.exp(-a))


def relu(a):
    return np.maximum(a, 0.0)


def conv(a, weight, bias):
    """Cross-correlate `(row, position, channel)` over positions, zero "same" padding."""
    width = len(weight)
    rows, length, _ = a.shape
    out = np.tile(bias, (rows, length, 1)).astype(float)
    for t in range(length):
        for k in range(width):
            source = t + k - width // 2
            if 0 <= source < length:
                out[:, t] += a[:, source] @ weight[k]
    return out


def bn(a, offset):
    mean = a.mean((0, 1))
    var = ((a - mean) ** 2).mean((0, 1))
    return (a - mean) / np.sqrt(var + 1e-3) + offset


def conv_bn_relu(theta, place, name, norm, a):
    out = conv(a, theta[f"{place}/{name}/weight"], theta[f"{place}/{name}/bias"])
    return relu(bn(out, theta[f"{place}/{norm}/offset"]))


def top_signal(theta, x_top):
    """`(batch, unit)` to d_L `(batch, unit, 32)`."""
    a = conv_bn_relu(theta, "top", "conv0", "norm_conv0", x_top.T[:, :, None])
    if "top/unit0/weight" in theta:
        a = a.transpose(2, 1, 0)
        for name in ("unit0", "unit1"):
            a = conv_bn_relu(theta, "top", name, f"norm_{name}", a)
        a = a.transpose(2, 1, 0)
    for name in ("hidden0", "hidden1"):
        a = conv_bn_relu(theta, "top", name, f"norm_{name}", a)
    return conv(a, theta["top/out/weight"], theta["top/out/bias"]).transpose(1, 0, 2)


def unit_block(theta, place, a):
    """`(unit, batch, channel)`; convolutions over units."""
    y = a.transpose(1, 0, 2)
    for i in range(2):
        y = conv_bn_relu(theta, place, f"conv{i}", f"norm{i}", y)
    return a + y.transpose(1, 0, 2)


def moments(w, axis):
    mean = w.mean(axis)
    var = w.var(axis)
    size = np.sqrt((w**2).mean(axis) + 1e-6)
    return np.stack([np.abs(w).mean(axis), size, mean, np.sqrt(var + 1e-8)], 1)


def hidden_state(theta, x, z, d, incoming, outgoing, b):
    """h `(batch, unit, 64)`."""
    batch, n = x.shape
    features = [x[..., None], z[..., None]]
    if len(theta["h/norm_input/offset"]) == 36:
        phi = np.linspace(0, 4 * np.pi, n)
        for wave in (np.sin(phi), np.cos(phi)):
            features.append(np.broadcast_to(wave[None, :, None], (batch, n, 1)))
    features = bn(np.concatenate([*features, d], 2), theta["h/norm_input/offset"])
    sides = ([moments(incoming, 0)] if incoming is not None else []) + (
        [moments(outgoing, 1)] if outgoing is not None else []
    )
    stats = np.concatenate((sides * 2)[:2], 1)
    stats = stats / np.sqrt((stats**2).mean() + 1e-6)
    own = np.concatenate([stats, b[:, None]], 1)
    a = np.concatenate([np.broadcast_to(own, (batch, *own.shape)), features], 2)
    a = a.transpose(1, 0, 2)
    a = conv_bn_relu(theta, "h", "conv0", "norm_conv0", a)
    a = unit_block(theta, "h/block0", a)
    a = conv_bn_relu(theta, "h", "conv1", "norm_conv1", a)
    return unit_block(theta, "h/block1", a).transpose(1, 0, 2)


def readout(theta, name, part, h):
    place = f"readout/{name}/{part}"
    return h @ theta[f"{place}/weight"] + theta[f"{place}/bias"]


def low_rank(theta, name, rows, columns):
    bottom, top = readout(theta, name, "bottom", rows), readout(theta, name, "top", columns)
    return np.einsum("bic,bjc->ij", bottom, top) / (4 * len(rows))


def symmetric(theta, name, h):
    r = low_rank(theta, name, h, h)
    u = (r + r.T) / np.sqrt(2)
    np.fill_diagonal(u, 0.0)
    return u / np.sqrt(len(u))


def norm(a):
    return a / np.sqrt(1 + (a**2).mean(0))


def weight_change(theta, w, h_o, h_u, x_o, x_u):
    """g_W of one layer."""
    batch = len(x_o)
    n = w.shape[1]
    hat = w / np.sqrt((w**2).mean(0) + 1e-6)
    q, sign = np.sqrt(1 + hat**2) - 1, np.sign(hat)

    def s(x):
        c = x - x.mean(0)
        return c / np.sqrt((c**2).mean(0) + 1e-6)

    k = s(x_u).T @ s(x_u) / (batch * np.sqrt(n))
    crowd = hat @ k
    p = readout(theta, "lin_upper_psd", "top", h_u)
    psd = np.einsum("bic,bjc->ij", p, p) / (4 * batch) / np.sqrt(n)
    terms = {
        "0_order": low_rank(theta, "0_order", h_o, h_u),
        "1_order": hat * low_rank(theta, "1_order", h_o, h_u),
        "decorr_x": crowd / np.sqrt((crowd**2 + 1e-8).mean()),
        "hebb": -s(x_o).T @ s(x_u) / batch,
        "large_decay": hat**2 * sign,
        "lin_lower_symm": symmetric(theta, "lin_lower_symm", h_o) @ hat,
        "lin_upper_psd": hat @ psd,
        "lin_upper_symm": hat @ symmetric(theta, "lin_upper_symm", h_u),
        "rbf": np.exp(-(hat**2)) * low_rank(theta, "rbf", h_o, h_u),
        "sqr_lower_symm": sign * (symmetric(theta, "sqr_lower_symm", h_o) @ q),
        "sqr_upper_symm": sign * (q @ symmetric(theta, "sqr_upper_symm", h_u)),
        "w_base": hat,
    }
    c = sum(a * norm(terms[t]) for a, t in zip(theta["merge/weight"], TERM_ORDER, strict=True))
    c = (c + theta["merge/bias"][0]) / 12
    c = c - hat * max(0.0, (c * hat).mean())
    return norm(c / np.sqrt(12)) - hat / 7


def step(theta, layers, traces, eta):
    """All layers' next `(W, b, V)` from their present ones and a trace of `(pre, z, x)`."""
    depth = len(layers)
    xs = [traces[0][0], *(t[2] for t in traces)]
    zs = [traces[0][0], *(t[1] for t in traces)]
    d = top_signal(theta, xs[-1])
    hs = [None] * (depth + 1)
    for level in range(depth, -1, -1):
        incoming = layers[level - 1][0] if level else None
        outgoing = layers[level][0] if level < depth else None
        b = layers[level - 1][1] if level else np.zeros(xs[0].shape[1])
        hs[level] = hidden_state(theta, xs[level], zs[level], d, incoming, outgoing, b)
        if level:
            e = d * sigmoid(zs[level])[..., None]
            e = e + hs[level] @ theta["delta_readout/weight"] + theta["delta_readout/bias"]
            d = np.einsum("ij,bjc->bic", layers[level - 1][2], e)
            d = d / np.sqrt(1e-6 + (d**2).mean(2, keepdims=True))
    result = []
    for i, (w, b, v) in enumerate(layers):
        g = weight_change(theta, w, hs[i], hs[i + 1], xs[i], xs[i + 1])
        r = (hs[i + 1] @ theta["bias_readout/weight"] + theta["bias_readout/bias"][0]).mean(0)
        r = r + max(0.0, -r.mean())
        g_b = r / np.sqrt(0.5 + (r**2).mean())
        result.append(
            tuple(p * (1 - eta) - eta * change for p, change in ((w, g), (b, g_b), (v, g)))
        )
    return result
